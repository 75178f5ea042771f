"""The live stream over the whole gateway: nothing missed, silence noticed, an end when the session ends."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from tests.browser.whole_house import House, running

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("house")) as found:
        yield found


class Listener:
    """Reads server-sent events as a browser does."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def next(self) -> tuple[str, dict[str, Any]]:
        """Return the next event's name and data."""
        found: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in found:
                return found["event"], {**json.loads(found["data"]), "id": found.get("id")}
            name, _, value = line.partition(": ")
            if name:
                found[name] = value
        raise EOFError

    def until(self, name: str) -> dict[str, Any]:
        """Return the data of the next event of that name."""
        while True:
            found, data = self.next()
            if found == name:
                return data


@contextmanager
def listening(client: httpx.Client, path: str = "/api/v1/live", **headers: str) -> Iterator[Listener]:
    with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        yield Listener(answer)


def test_everything_comes_first_then_every_change(house: House) -> None:
    house.send("t/sos-1", "alarm.manual")
    alert = house.alert("sos").id
    with house.client() as client, listening(client) as live, house.browser_like() as page:
        name, first = live.next()
        assert name == "snapshot"
        assert [one["id"] for one in first["alerts"]] == [alert]
        assert int(first["id"]) == first["cursor"] > 0
        page.post(f"/api/v1/alerts/{alert}/accept")
        changed = live.until("alerts")
        assert [(one["id"], one["state"]) for one in changed["alerts"]] == [(alert, "accepted")]
        page.post(f"/api/v1/alerts/{alert}/close", json={"outcome": "test", "seen_count": 1})
        assert live.until("alerts")["alerts"][0]["state"] == "closed"


def test_whoever_comes_back_hears_of_what_happened_meanwhile(house: House) -> None:
    with house.client() as client:
        with listening(client) as live:
            seen = live.next()[1]["id"]
        house.send("t/sos-2", "alarm.manual")
        with listening(client, **{"Last-Event-ID": seen}) as live:
            name, data = live.next()
    assert name == "snapshot"
    assert house.alert("sos").id in {one["id"] for one in data["alerts"]}
    with house.browser_like() as page:
        page.post(f"/api/v1/alerts/{house.alert('sos').id}/close", json={"outcome": "test", "seen_count": 1})


def test_silence_is_filled_with_a_beat(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.live.BEAT_S", 0.05)
    with house.client() as client, listening(client) as live:
        live.next()
        name, data = live.next()
    assert name == "beat"
    assert {"at", "cursor", "status"} <= set(data)
    assert "alerts" not in data


def test_a_page_gets_drawn_cards_in_its_language(house: House) -> None:
    house.send("t/gps-1", "alarm.manual")
    alert = house.alert("sos").id
    with house.client() as client, listening(client, "/live?lang=en") as live:
        (card,) = live.next()[1]["alerts"]
        assert "The alarm button was pressed" in card["html"]
        assert (card["queue"], card["open"]) == ("person", True)
        house.wait(lambda: house.gateway.board.watched("night"))
        with house.browser_like() as page:
            page.post(f"/api/v1/alerts/{alert}/close", json={"outcome": "test", "seen_count": 1})
        (gone,) = live.until("alerts")["alerts"]
        assert (gone["open"], gone["html"]) == (False, "")
    house.wait(lambda: not house.gateway.board.watched("night"))


def test_an_offer_reaches_the_page_that_is_open(house: House) -> None:
    with house.client() as client, listening(client, "/live"):
        house.wait(lambda: house.gateway.board.listeners > 0)
        house.send("t/sos-1", "alarm.manual")
        alert = house.alert("sos").id

        def proof() -> str:
            (one,) = [d for d in house.gateway.store.deliveries(alert) if d.channel == "page"]
            return one.state.value

        house.wait(lambda: proof() == "sent")
    with house.browser_like() as page:
        page.post(f"/api/v1/alerts/{alert}/close", json={"outcome": "test", "seen_count": 1})


def test_one_listener_too_many_is_told_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.live.MAX_LISTENERS", 0)
    with house.client() as client:
        answer = client.get("/api/v1/live")
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


def test_a_listener_hears_that_its_session_ended(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.api.live.BEAT_S", 0.05)
    users = [{"name": "anna", "password_hash": CHEAP.hash("night-shift")}]
    with (
        running(tmp_path_factory.mktemp("users"), user=users) as house,
        house.client(headers={"Origin": house.url}) as client,
    ):
        client.post("/login", data={"name": "anna", "password": "night-shift"})
        client.headers["X-Vaka-Token"] = client.get("/api/v1/session").json()["forgery_token"]
        with listening(client, "/live") as live:
            live.next()
            client.post("/logout")
            live.until("bye")
            with pytest.raises(EOFError):
                live.next()


def test_stopping_the_gateway_lets_its_listeners_go(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ExitStack() as stack:
        with running(tmp_path_factory.mktemp("stop")) as house:
            client = stack.enter_context(house.client())
            live = stack.enter_context(listening(client))
            live.next()
        with pytest.raises((EOFError, httpx.HTTPError)):
            live.next()
