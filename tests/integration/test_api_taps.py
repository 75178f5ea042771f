"""Taps over a whole running gateway: how they stand, what was refused, and what a person does about it."""

import re
from collections.abc import Iterator

import httpx
import pytest
from refusing_receiver import Receiver, refusing

from tests.browser.whole_house import House, running

API = "/api/v1/taps"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Receiver]]:
    with refusing() as (receiver, taps), running(tmp_path_factory.mktemp("taps"), taps=taps) as house:
        house.send("t/lock-1", "lock.jammed")
        house.send("t/lock-1", "lock.locked")
        house.send("t/lock-1", "lock.jammed")
        house.wait(lambda: house.gateway.taps.report()["records"]["behind_frames"] == 0)
        house.wait(lambda: bool(house.gateway.taps.report()["nobody"]["fault"]))
        yield house, receiver


@pytest.fixture
def page(both: tuple[House, Receiver]) -> Iterator[httpx.Client]:
    with both[0].browser_like() as client:
        yield client


def test_the_list_says_which_receiver_waits_and_what_was_refused(page: httpx.Client) -> None:
    told = {one["name"]: one for one in page.get(API).json()}
    assert told["records"] | {"fault": "", "behind_frames": 0, "dead_letters": 2} == told["records"]
    assert told["nobody"]["fault"]
    assert told["nobody"]["behind_frames"] > 0
    parts = [one for one in page.get("/api/v1/health").json()["parts"] if one["part"] == "tap"]
    assert {one["values"]["name"]: one["says"] for one in parts} == {"records": "letters", "nobody": "waits"}
    assert page.get("/api/v1/health").json()["status"] == "ok", "no alert waits for a receiver outside"
    figures = page.get("/metrics").text
    assert 'vaka_tap_dead_letters{tap="records"} 2.0' in figures
    assert 'vaka_tap_up{tap="nobody"} 0.0' in figures


@pytest.mark.parametrize(("lang", "word"), [("sv", "Skicka igen"), ("en", "Send again")])
def test_the_page_shows_them_in_both_languages(page: httpx.Client, lang: str, word: str) -> None:
    shown = page.get("/taps", params={"lang": lang})
    assert shown.status_code == 200
    assert word in shown.text
    assert "no such type of event" in shown.text
    assert page.get("/taps", params={"tap": "none"}).status_code == 404


def test_a_refused_item_is_read_sent_again_and_given_up(
    both: tuple[House, Receiver], page: httpx.Client
) -> None:
    _, receiver = both
    first, second = page.get(f"{API}/records/letters").json()
    assert b"lock.jammed" in page.get(f"{API}/records/letters/{first['id']}").content
    still = page.post(f"{API}/records/letters/{first['id']}/again")
    assert (still.status_code, "still refuses" in still.text) == (409, True)
    receiver.refuses = ""
    assert page.post(f"{API}/records/letters/{first['id']}/again").status_code == 204
    assert first["item"] in receiver.got
    form = re.findall(r'action="(/taps/records/letters/\d+/give-up)"', page.get("/taps").text)
    assert form == [f"/taps/records/letters/{second['id']}/give-up"]
    assert page.post(form[0]).status_code in {200, 303}
    assert page.get(f"{API}/records/letters").json() == []
    assert second["item"] not in receiver.got
    assert page.post(f"{API}/records/letters/{first['id']}/again").status_code == 404


def test_what_a_receiver_that_is_away_may_not_be_asked_is_said_plainly(page: httpx.Client) -> None:
    assert page.get(f"{API}/none/letters").status_code == 404
    assert page.delete(f"{API}/records/letters/99999").status_code == 404
