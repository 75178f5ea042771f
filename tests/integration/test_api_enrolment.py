"""Devices enrolled by the pages, the API and the command, over a whole running gateway."""

import re
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import httpx
import paho.mqtt.client as mqtt
import pytest
from typer.testing import CliRunner

from gateway.api.passwords import new_token
from gateway.commands.devices import app
from tests.browser.whole_house import House, running


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("enrolment"), listens=True) as found:
        yield found


@pytest.fixture
def page(house: House) -> Iterator[httpx.Client]:
    with house.browser_like() as client:
        yield client


def test_a_discovered_device_is_enrolled_from_its_form_and_then_alarms(
    house: House, page: httpx.Client
) -> None:
    house.send("t/new-1", "alarm.manual", presses=1)
    assert 'value="t/new-1"' in page.get("/devices").text
    form = {"id": "flat/new", "adapter": "vaka", "native_id": "t/new-1", "kind": "social_alarm"}
    form |= {"home": "home-17", "person": "person-17", "supervised": "yes"}
    answer = page.post("/device-enrol", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/devices/flat/new")
    assert "local" in page.get("/devices/flat/new").text
    house.send("t/new-1", "alarm.manual", presses=1)
    assert any(alert.device == "flat/new" for alert in house.alerts())
    assert not any(one["native_id"] == "t/new-1" for one in page.get("/api/v1/devices/discovered").json())


def test_the_api_enrols_replaces_tells_the_origin_and_ends(page: httpx.Client) -> None:
    body = {"id": "door", "adapter": "nuki", "native_id": "AA11", "kind": "lock", "home": "home-23"}
    assert page.post("/api/v1/devices", json=body).status_code == 200
    assert page.post("/api/v1/devices", json=body).status_code == 422
    told = {"native_id": "BB22", "reason": "worn out"}
    assert page.post("/api/v1/devices/door/replace", json=told).status_code == 200
    found = page.get("/api/v1/devices/door/origin").json()
    assert [one["native_id"] for one in found["former"]] == ["AA11"]
    assert found["actor"] == "local"
    assert "worn out" in page.get("/devices/door").text
    assert page.post("/api/v1/devices/door/end", json={"reason": "mistake"}).status_code == 200
    assert page.get("/api/v1/devices/door/origin").status_code == 404


def test_a_table_from_the_page_is_taken_whole_or_every_fault_is_shown(page: httpx.Client) -> None:
    table = b"id,adapter,native_id,kind,home\nok,nuki,1,lock,home-17\n"
    wrong = table + b"bad,nuki,2,window,home-99\n"
    shown = page.post("/device-table", files={"file": ("box.csv", wrong)})
    assert shown.status_code == 409
    assert "box.csv: line 3, column 5" in shown.text
    assert "ok" not in [one["id"] for one in page.get("/api/v1/devices").json()]
    assert page.post("/device-table", files={"file": ("box.csv", table)}).status_code == 303
    assert "ok" in [one["id"] for one in page.get("/api/v1/devices").json()]


def test_the_command_tells_every_fault_and_enrols_a_good_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, token_hash = new_token()
    given = [{"name": "tool", "token_hash": token_hash, "scopes": ["devices:write"]}]
    monkeypatch.setenv("VAKA_TOKEN", token)
    file = tmp_path / "box.csv"
    file.write_text("id,adapter,native_id,kind,home\nok,nuki,1,lock,home-17\nbad,nuki,2,window,home-99\n")
    with running(tmp_path, token=given) as house:
        result = CliRunner().invoke(app, ["enrol", str(file), "--url", house.url])
        assert result.exit_code == 2
        assert "box.csv: line 3, column 4 (kind): found 'window'" in result.output
        assert "box.csv: line 3, column 5 (home): found 'home-99'" in result.output
        file.write_text("id,adapter,native_id,kind,home\nok,nuki,1,lock,home-17\n")
        result = CliRunner().invoke(app, ["enrol", str(file), "--url", house.url])
        assert (result.exit_code, result.output[:18]) == (0, "1 devices enrolled")


def _sign_in(house: House, username: str, password: str) -> bool:
    listener = house.gateway.listener
    assert listener is not None
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=username)
    client.username_pw_set(username, password)
    answered: Queue[bool] = Queue()
    client.on_connect = lambda *told: answered.put(not told[3].is_failure)
    client.connect("127.0.0.1", listener.port)
    client.loop_start()
    try:
        return answered.get(timeout=30)
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_device_enrolled_in_the_console_is_given_a_password_and_signs_in_with_it(
    house: House, page: httpx.Client
) -> None:
    body = {"id": "boxed", "adapter": "vaka", "native_id": "t/boxed", "kind": "lock", "home": "home-23"}
    assert page.post("/api/v1/devices", json=body).status_code == 200
    answer = page.post("/api/v1/devices/boxed/login")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    first = answer.json()["password"]
    assert _sign_in(house, "boxed", first)
    shown = page.post("/device-login", data={"device": "boxed"})
    assert shown.headers["cache-control"] == "no-store"
    again = re.findall(r"<dd><code>([^<]+)</code>", shown.text)
    assert again[0] == "boxed"
    assert _sign_in(house, "boxed", again[1])
    assert not _sign_in(house, "boxed", first), "the new password ends the old one"
    assert page.post("/api/v1/devices/t/lock-1/login").status_code == 409
