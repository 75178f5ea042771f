"""What a registry refuses, and in which words: one line with record, key, what it found and allows."""

from typing import Any

import pytest

from gateway.model.faults import RecordError
from gateway.model.registry import Registry, RegistryDocument

SINCE = "2026-01-01T00:00:00+01:00"


def document(**change: dict[str, Any]) -> RegistryDocument:
    """Two tenants with one home each, `a` and `b`; a change names a record and gives it other values."""
    records: dict[str, list[dict[str, Any]]] = {
        "tenant": [{"id": t, "name": t} for t in "ab"],
        "unit": [{"id": f"unit-{t}", "tenant": t, "name": t} for t in "ab"],
        "team": [{"id": f"team-{t}", "unit": f"unit-{t}", "name": t} for t in "ab"],
        "ladder": [{"id": f"ladder-{t}", "tenant": t, "steps": [{"to": [f"team-{t}"]}]} for t in "ab"],
        "home": [
            {
                "id": f"home-{t}",
                "tenant": t,
                "unit": f"unit-{t}",
                "care_ladder": f"ladder-{t}",
                "technical_ladder": f"ladder-{t}",
            }
            for t in "ab"
        ],
        "person": [{"ref": f"person-{t}", "home": f"home-{t}"} for t in "ab"],
        "device": [
            {"id": f"{kind}-{t}", "tenant": t, "adapter": "vaka", "native_id": f"{kind}-{t}", "kind": kind}
            for t in "ab"
            for kind in ("lock", "gateway")
        ],
        "enrolment": [
            {"device": f"lock-{t}", "home": f"home-{t}", "person": f"person-{t}", "since": SINCE}
            for t in "ab"
        ],
    }
    for name, values in change.items():
        kind, _, number = name.partition("_")
        records[kind][int(number or 0)].update(values)
    return RegistryDocument.of(records)


def windows(*refs: str) -> list[dict[str, Any]]:
    return [{"ref": ref, "at": "08:00", "minutes": 30} for ref in refs]


def test_a_registry_that_holds_together_is_taken() -> None:
    registry = Registry(document(device={"via": "gateway-a"}, enrolment={"doses": windows("x", "y")}))
    assert registry.adapters() == {"vaka"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *(
            ({"tenant": {"time_zone": zone}}, f"tenant a: time_zone: found {zone!r}; allowed: an IANA zone")
            for zone in ("Europe/Stokholm", "Europe", "", "../etc/passwd", "a\0b")
        ),
        (
            {"ladder": {"steps": [{"to": ["team-b"]}]}},
            "ladder ladder-a: steps.to: found 'team-b'; allowed: one of tenant 'a', not of 'b'",
        ),
        (
            {"home": {"unit": "unit-b"}},
            "home home-a: unit: found 'unit-b'; allowed: one of tenant 'a', not of 'b'",
        ),
        (
            {"home": {"care_ladder": "ladder-b"}},
            "home home-a: care_ladder: found 'ladder-b'; allowed: one of tenant 'a', not of 'b'",
        ),
        (
            {"home": {"technical_ladder": "ladder-b"}},
            "home home-a: technical_ladder: found 'ladder-b'; allowed: one of tenant 'a', not of 'b'",
        ),
        (
            {"enrolment": {"home": "home-b", "person": "person-b"}},
            "enrolment lock-a: home: found 'home-b'; allowed: one of tenant 'a', not of 'b'",
        ),
        (
            {"device": {"via": "gateway-b"}},
            "device lock-a: via: found 'gateway-b'; allowed: one of tenant 'a', not of 'b'",
        ),
        (
            {"device": {"via": "gateway-a"}, "device_1": {"via": "lock-a"}},
            "device lock-a: via: found 'lock-a'; allowed: a bridge that does not speak through itself",
        ),
        (
            {"device": {"via": "lock-a"}},
            "device lock-a: via: found 'lock-a'; allowed: a bridge that does not speak through itself",
        ),
        (
            {"enrolment": {"person": "person-b"}},
            "enrolment lock-a: person: found 'person-b'; allowed: one who lives in 'home-a'",
        ),
        (
            {"enrolment": {"doses": windows("x", "y", "x")}},
            "enrolment lock-a: doses.ref: found 'x'; allowed: each once",
        ),
        (
            {"enrolment": {"looks": windows("x", "x")}},
            "enrolment lock-a: looks.ref: found 'x'; allowed: each once",
        ),
    ],
)
def test_what_does_not_hold_together_is_refused_in_one_line(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match="found") as refused:
        Registry(document(**change))
    assert str(refused.value) == words


def test_one_reference_may_name_a_dose_and_a_look() -> None:
    assert Registry(document(enrolment={"doses": windows("x"), "looks": windows("x")}))


@pytest.mark.parametrize(("repeat_s", "taken"), [(9.9, False), (10, True)])
def test_a_ladder_repeats_not_faster_than_each_ten_seconds(repeat_s: float, *, taken: bool) -> None:
    if taken:
        assert Registry(document(ladder={"repeat_s": repeat_s}))
        return
    with pytest.raises(RecordError, match="repeat_s"):
        document(ladder={"repeat_s": repeat_s})
