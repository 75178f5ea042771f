"""Which alerts a person's teams open to them."""

import msgspec

from gateway.api.access import may_see
from gateway.api.auth import Actor
from gateway.model.registry import Registry, RegistryDocument
from tests.unit.api.test_board import alert
from tests.unit.pipeline.town import document


def registry() -> Registry:
    """Return the town with a second tenant beside it."""
    town = msgspec.to_builtins(document())
    town["tenant"] = [*town["tenant"], {"id": "other", "name": "Grannby"}]
    town["unit"] = [*town["unit"], {"id": "there", "tenant": "other", "name": "Unit"}]
    town["team"] = [*town["team"], {"id": "strangers", "unit": "there", "name": "Night"}]
    return Registry(RegistryDocument.of(town))


def member(*teams: str) -> Actor:
    return Actor(name="anna", scopes=frozenset({"alerts:read"}), teams=frozenset(teams))


def test_an_alert_shows_to_the_teams_it_has_reached() -> None:
    known = registry()
    assert may_see(member("day"), alert("a"), known)
    assert not may_see(member("night"), alert("a"), known)
    assert may_see(member("night"), alert("a", step=1), known)
    assert may_see(member("day"), alert("a", step=1), known)
    assert may_see(member(), alert("a"), known)


def test_whoever_has_taken_an_alert_sees_it() -> None:
    assert may_see(member("tech"), alert("a", assignee="anna"), registry())
    assert not may_see(member("tech"), alert("a", assignee="bo"), registry())


def test_an_alert_whose_ladder_is_gone_shows_to_its_own_tenant_only() -> None:
    known, orphan = registry(), alert("a", ladder="gone")
    for team in ("day", "night", "centre", "tech", "tenant:t"):
        assert may_see(member(team), orphan, known), team
    for team in ("strangers", "tenant:other", "a team of an older registry"):
        assert not may_see(member(team), orphan, known), team
    assert may_see(member("strangers", "tech"), orphan, known)
    assert may_see(member(), orphan, known)
