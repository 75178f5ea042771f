"""Where a message stopped, over the whole gateway: the JSON API and the engineers' pages."""

from collections.abc import Iterator

import httpx
import pytest

from gateway.model.frame import Frame, Transport
from tests.browser.whole_house import House, running

UNKNOWN = (
    b'{"specversion":"1.0","id":"1","source":"vaka:t/new-9","type":"vaka.lock.unlocked.v1",'
    b'"time":"2026-01-31T22:00:00Z","clockquality":"synced","data":{}}'
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture
def page(house: House) -> Iterator[httpx.Client]:
    with house.browser_like() as client:
        yield client


def steps(page: httpx.Client, position: int) -> dict[str, str]:
    walk = page.get(f"/api/v1/trace/{position}").json()
    return {step["name"]: step["state"] for step in walk["steps"]}


def test_a_message_that_raised_an_alert_went_all_the_way(house: House, page: httpx.Client) -> None:
    position = house.send("t/sos-1", "alarm.manual", presses=2)
    assert set(steps(page, position).values()) == {"passed"}
    walk = page.get(f"/api/v1/trace/{position}").json()
    assert [event["type"] for event in walk["events"]] == ["alarm.manual"]
    assert [alert["text"] for alert in walk["alerts"]] == ["sos"]
    assert b'"presses": 2' in bytes.fromhex(walk["frame"]["payload_hex"])


def test_a_message_that_cannot_be_read_stops_at_decode_with_its_clause(
    house: House, page: httpx.Client
) -> None:
    position = house.raw("vaka/1/t/lock-1/event", b"{broken")
    walk = page.get(f"/api/v1/trace/{position}").json()
    (stopped,) = [step for step in walk["steps"] if step["state"] == "stopped"]
    assert stopped["name"] == "decode"
    assert stopped["clause"].startswith("VDI-")
    assert stopped["reason"]
    listed = page.get("/api/v1/quarantine").json()
    assert (listed[0]["frame"]["position"], listed[0]["device"]) == (position, "t/lock-1")
    assert listed[0]["clause"] == stopped["clause"]


def test_a_transport_fault_stops_at_the_first_step(house: House, page: httpx.Client) -> None:
    now = house.gateway.clock.now()
    position = house.frame(Frame(Transport.MQTT, "", b"\x10\x00", now, fault="packet cut short"))
    found = steps(page, position)
    assert found["transport"] == "stopped"
    assert found["decode"] == found["deliver"] == "none"


def test_an_unknown_device_stops_at_normalise_and_is_shown_with_how_to_enrol(
    house: House, page: httpx.Client
) -> None:
    position = house.raw("vaka/1/t/new-9/event", UNKNOWN)
    assert steps(page, position)["normalise"] == "stopped"
    (found,) = page.get("/api/v1/devices/discovered").json()
    assert (found["adapter"], found["native_id"], found["kind"]) == ("vaka", "t/new-9", "lock")
    shown = page.get("/devices").text
    assert "native_id = &#34;t/new-9&#34;" in shown
    assert "[[enrolment]]" in shown


def test_a_refused_answer_stops_at_the_judgement(house: House, page: httpx.Client) -> None:
    house.send("t/sos-2", "alarm.manual")
    alert = next(alert.id for alert in house.alerts() if alert.device == "t/sos-2")
    page.post(f"/api/v1/alerts/{alert}/release")
    remark = page.get("/api/v1/trace", params={"limit": 1}).json()[0]
    assert (remark["step"], remark["verdict"]) == ("answer", "refused")
    assert steps(page, remark["frame"])["decide"] == "stopped"


def test_devices_show_their_latest_word(house: House, page: httpx.Client) -> None:
    house.send("t/camera-1", "device.offline")
    house.send("t/lock-1", "lock.locked", battery_percent=71)
    devices = {device["id"]: device for device in page.get("/api/v1/devices").json()}
    assert devices["t/camera-1"]["online"] is False
    assert devices["t/lock-1"]["online"] is True
    assert devices["t/lock-1"]["slots"]["lock"] == "lock.locked"
    assert devices["t/gps-1"]["online"] is None
    assert devices["t/gps-1"]["enrolled"]
    events = page.get("/api/v1/events", params={"device": "t/lock-1"}).json()
    assert events[0]["type"] == "lock.locked"


def test_bytes_are_shown_escaped_and_never_as_markup(house: House, page: httpx.Client) -> None:
    position = house.raw("vaka/1/t/lock-1/event", b"<script>alert(1)</script>\x00\xff")
    for path in (f"/trace/{position}", "/quarantine"):
        shown = page.get(path).text
        assert "<script>alert(1)" not in shown
        assert "&lt;script&gt;" in shown
        assert "3c 73 63 72 69 70 74 3e" in shown


@pytest.mark.parametrize(
    "path", ["/trace", "/trace?device=t/lock-1", "/devices?find=lock", "/quarantine", "/closed"]
)
def test_the_engineers_pages_open_in_both_languages(page: httpx.Client, path: str) -> None:
    for language in ("sv", "en"):
        shown = page.get(path, params=httpx.QueryParams(path.partition("?")[2]).set("lang", language))
        assert shown.status_code == 200
        assert f'<html lang="{language}">' in shown.text


def test_a_trace_id_leads_to_its_walk(page: httpx.Client) -> None:
    led = page.get("/trace", params={"frame": "12"})
    assert (led.status_code, led.headers["location"]) == (303, "/trace/12")
