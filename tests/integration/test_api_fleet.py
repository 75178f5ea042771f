"""Fleet health, configuration and commands over a whole running gateway: the API and the pages."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.browser.whole_house import House, running


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("fleet")) as found:
        yield found


@pytest.fixture
def page(house: House) -> Iterator[httpx.Client]:
    with house.browser_like() as client:
        yield client


def test_the_fleet_is_listed_worst_first_and_filtered(house: House, page: httpx.Client) -> None:
    house.send("t/sos-1", "heartbeat", battery_percent=8, firmware="3.1")
    found = page.get("/api/v1/fleet").json()
    assert (found[0]["device"], found[0]["grade"]) == ("t/sos-1", "bad")
    assert "battery_critical" in found[0]["reasons"]
    assert found[0]["battery"] | {"known": False, "reason": "few"} == found[0]["battery"]
    only = page.get("/api/v1/fleet", params={"grade": "bad", "find": "sos"}).json()
    assert [one["device"] for one in only] == ["t/sos-1"]
    assert page.get("/api/v1/fleet/t/sos-1").json()["firmware"] == "3.1"
    assert page.get("/api/v1/fleet/t/nobody").status_code == 404
    assert sum(one["devices"] for one in page.get("/api/v1/fleet/products").json()) == len(found)


@pytest.mark.parametrize(("lang", "word"), [("sv", "Enheternas hälsa"), ("en", "Fleet health")])
def test_the_page_shows_the_fleet_in_both_languages(page: httpx.Client, lang: str, word: str) -> None:
    shown = page.get("/fleet", params={"lang": lang, "sort": "battery"})
    assert shown.status_code == 200
    assert f"<h1>{word}</h1>" in shown.text
    assert page.get("/fleet", params={"sort": "else"}).status_code == 422


@pytest.mark.parametrize("lang", ["sv", "en"])
def test_a_devices_page_shows_its_sections_and_says_why_it_can_take_no_command(
    page: httpx.Client, lang: str
) -> None:
    shown = page.get("/devices/t/sos-1", params={"lang": lang}).text
    assert all(f'id="{name}"' in shown for name in ("health", "config", "commands"))
    assert "cannot" in shown
    assert page.get("/devices/t/nobody").status_code == 404


def test_a_command_given_on_the_page_is_one_command_however_often_it_is_sent(page: httpx.Client) -> None:
    shown = page.get("/devices/t/lock-1").text
    fields = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown.split('id="commands"')[1])
    )
    for _ in range(2):
        sent = page.post("/device-command", data=fields | {"do": "unlock", "reason": "visit"})
        assert sent.status_code in (200, 303), sent.text
    (given,) = page.get("/api/v1/devices/t/lock-1/commands").json()
    assert (given["do"], given["state"], given["reason"]) == ("unlock", "requested", "visit")
    assert given["id"] in page.get("/devices/t/lock-1").text


def test_a_configuration_is_set_shown_and_refused_by_its_key(page: httpx.Client) -> None:
    path = "/api/v1/devices/t/lock-1/config"
    wrong = page.put(path, json={"config": {"heartbeat": 5}, "reason": "x"})
    assert (wrong.status_code, "found heartbeat" in wrong.json()["detail"]) == (409, True)
    found = page.put(path, json={"config": {"heartbeat_s": 900}, "reason": "winter"}).json()
    assert (found["desired"]["revision"], found["drifts"]) == (1, True)
    assert "900" in page.get("/devices/t/lock-1").text


def test_what_cannot_be_commanded_is_refused_with_the_reason(page: httpx.Client) -> None:
    refused = page.post("/api/v1/devices/t/sos-1/commands", json={"do": "unlock", "reason": "x"})
    assert (refused.status_code, "cannot unlock" in refused.json()["detail"]) == (409, True)
