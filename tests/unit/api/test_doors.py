"""Passwords, sessions, tokens: who gets in, and at what cost."""

import asyncio
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from gateway.api.access import may_see
from gateway.api.auth import Actor, Sessions, find_token
from gateway.api.passwords import AT_ONCE, Passwords, TooManyTriesError, hash_password, new_token, token_hash
from gateway.config import ApiSettings, TokenSettings, UserSettings
from gateway.model.registry import Registry, RegistryDocument
from tests.unit.api.test_board import alert

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ANNA = UserSettings(name="anna", password_hash=SecretStr(CHEAP.hash("night-shift")), teams=("night",))


class Hand:
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 31, 22, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def wait_s(self, at: datetime) -> float:
        return (at - self.time).total_seconds()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def test_only_the_right_password_of_a_known_user_fits() -> None:
    async def scene() -> None:
        door = Passwords([ANNA], Hand())
        assert await door.check("anna", "night-shift", "10.0.0.1") is ANNA
        assert await door.check("anna", "wrong", "10.0.0.1") is None
        assert await door.check("nobody", "night-shift", "10.0.0.1") is None
        assert await door.check("anna", "x" * 5000, "10.0.0.1") is None

    run(scene())


def test_a_configured_hash_that_is_none_lets_nobody_in() -> None:
    async def scene() -> None:
        broken = UserSettings(name="eva", password_hash=SecretStr("plain-password"))
        assert await Passwords([broken], Hand()).check("eva", "plain-password", "a") is None

    run(scene())


def test_without_users_nobody_gets_in_and_no_hash_is_computed() -> None:
    async def scene() -> None:
        assert await Passwords([], Hand()).check("anna", "night-shift", "a") is None

    run(scene())


def test_too_many_tries_are_refused_until_the_window_is_over() -> None:
    async def scene() -> None:
        clock = Hand()
        door = Passwords([ANNA], clock)
        for _ in range(5):
            assert await door.check("anna", "wrong", "10.0.0.1") is None
        with pytest.raises(TooManyTriesError) as refused:
            await door.check("anna", "night-shift", "10.0.0.1")
        assert 0 < int(refused.value.headers["Retry-After"]) <= 300
        assert await door.check("anna", "night-shift", "10.0.0.2") is ANNA, "she is not kept out elsewhere"
        clock.time += timedelta(minutes=5)
        assert await door.check("anna", "night-shift", "10.0.0.1") is ANNA

    run(scene())


def test_one_address_cannot_try_many_names() -> None:
    async def scene() -> None:
        door = Passwords([], Hand())
        for number in range(20):
            await door.check(f"name-{number}", "x", "10.0.0.1")
        with pytest.raises(TooManyTriesError):
            await door.check("anna", "night-shift", "10.0.0.1")

    run(scene())


def test_counters_of_tries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.passwords.MAX_COUNTED", 50)

    async def scene() -> None:
        door = Passwords([], Hand())
        for number in range(100):
            await door.check(f"n{number}", "x", f"10.0.0.{number}")
        assert len(door._tries) == 50

    run(scene())


def test_hashes_are_computed_two_at_a_time_and_a_crowd_is_turned_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inside, most, gate = 0, 0, threading.Event()
    lock = threading.Lock()

    def slow(_self: Passwords, _stored: str, _password: str) -> bool:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        gate.wait(10)
        with lock:
            inside -= 1
        return False

    monkeypatch.setattr(Passwords, "_fits", slow)

    async def scene() -> None:
        door = Passwords([ANNA], Hand())
        crowd = [asyncio.create_task(door.check(f"n{n}", "x", f"10.0.1.{n}")) for n in range(60)]
        while sum(task.done() for task in crowd) < 60 - 34:
            await asyncio.sleep(0.001)
        gate.set()
        ends = await asyncio.gather(*crowd, return_exceptions=True)
        assert sum(isinstance(end, TooManyTriesError) for end in ends) == 60 - 34
        assert most == AT_ONCE

    run(scene())


def test_a_session_ends_by_itself_and_by_signing_out() -> None:
    clock = Hand()
    sessions = Sessions(ApiSettings(session_hours=10), clock)
    key, other = sessions.open(ANNA), sessions.open(ANNA)
    found, second = sessions.find(key), sessions.find(other)
    assert found is not None
    assert second is not None
    assert (found.name, found.teams) == ("anna", frozenset({"night"}))
    assert found.forgery_token != second.forgery_token
    assert sessions.find("guess") is None
    sessions.close(key)
    assert sessions.find(key) is None
    clock.time += timedelta(hours=10)
    assert sessions.find(other) is None


def test_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.auth.MAX_SESSIONS", 3)
    sessions = Sessions(ApiSettings(), Hand())
    keys = [sessions.open(ANNA) for _ in range(5)]
    assert [sessions.find(key) is not None for key in keys] == [False, False, True, True, True]


def test_a_token_is_found_by_its_hash_and_brings_its_scopes() -> None:
    token, digest = new_token()
    other, other_digest = new_token()
    known = [
        TokenSettings(name="board", token_hash=SecretStr(digest), scopes=("alerts:read",)),
        TokenSettings(name="bridge", token_hash=SecretStr(other_digest.upper()), scopes=("frames:write",)),
    ]
    assert token != other
    found, second = find_token(token, known), find_token(other, known)
    assert found is not None
    assert second is not None
    assert (found.name, found.scopes) == ("board", frozenset({"alerts:read"}))
    assert second.name == "bridge"
    assert find_token(digest, known) is None, "the hash itself must not open the door"
    assert find_token("", known) is None
    assert token_hash(token) == digest


def test_a_password_hash_is_argon2id() -> None:
    assert hash_password("night-shift").startswith("$argon2id$")


def test_an_alert_is_seen_by_the_teams_it_has_come_to() -> None:
    registry = Registry(
        RegistryDocument.of(
            {
                "tenant": [{"id": "t", "name": "t"}],
                "unit": [{"id": "u", "tenant": "t", "name": "u"}],
                "team": [{"id": name, "unit": "u", "name": name} for name in ("day", "night", "tech")],
                "ladder": [{"id": "care", "tenant": "t", "steps": [{"to": ["day"]}, {"to": ["night"]}]}],
            }
        )
    )

    def sees(team: str, **changed: Any) -> bool:
        actor = Actor(name="anna", scopes=frozenset(), teams=frozenset({team} if team else ()))
        return may_see(actor, alert("a", **changed), registry)

    assert sees("day")
    assert not sees("night")
    assert sees("night", step=1)
    assert sees("day", step=1)
    assert not sees("tech", step=1)
    assert sees("", step=0)
    assert sees("tech", assignee="anna")
    assert sees("tech", ladder="gone"), "an alert that nobody would see is worse than one seen twice"
