"""A new device is tried, confirmed and signed for by the pages and the API of a whole running gateway."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.api.passwords import new_token
from tests.browser.whole_house import House, registry_file, running
from tests.integration.gateway_process import GatewayProcess

NAMES = iter(range(1000))
SCOPES = ["devices:read", "devices:write", "alerts:read", "frames:write"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("check")) as found:
        yield found


@pytest.fixture
def page(house: House) -> Iterator[httpx.Client]:
    with house.browser_like() as client:
        yield client


@pytest.fixture
def new(page: httpx.Client) -> str:
    """Enrol a new social alarm where nobody lives; return its name."""
    name = f"t/new-{next(NAMES)}"
    body = {"id": name, "adapter": "vaka", "native_id": name, "kind": "social_alarm", "home": "home-empty"}
    assert page.post("/api/v1/devices", json=body).status_code == 200
    return name


def check(page: httpx.Client, device: str) -> dict[str, Any]:
    found: dict[str, Any] = page.get(f"/api/v1/devices/{device}/check").json()
    return found


def say(page: httpx.Client, device: str, word: str, **body: Any) -> httpx.Response:
    return page.post(f"/api/v1/devices/{device}/check/{word}", json=body)


def test_a_device_is_checked_from_its_page_and_signed_for(house: House, page: httpx.Client, new: str) -> None:
    assert "Inte kontrollerad" in page.get(f"/devices/{new}").text
    form = {"device": new}
    answer = page.post("/device-check", data=form | {"do": "open"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/devices/{new}/check")
    shown = page.get(f"/devices/{new}/check").text
    assert "Tryck på larmknappen nu" in shown
    assert "Kan inte signeras än" in shown
    now = re.search(r'hx-get="([^"]+)"', shown)
    assert now is not None
    assert page.get(now[1]).status_code == 204
    house.send(new, "alarm.manual", presses=1, battery_percent=90)
    drawn = page.get(now[1])
    assert drawn.status_code == 200
    assert "Bara du har larmet" in drawn.text
    alert = re.search(r'name="alert" value="(\w+)"', drawn.text)
    assert alert is not None
    confirm = form | {"do": "confirm", "alert": alert[1], "seen": "1", "severity": "high"}
    assert page.post("/device-check", data=confirm).status_code == 303
    assert page.post("/device-check", data=form | {"do": "sign"}).status_code == 303
    device = page.get(f"/devices/{new}").text
    assert "Godkänd" in device
    assert f"/devices/{new}/protocol/1" in device
    paper = page.get(f"/devices/{new}/protocol/1").text
    assert "alarm.manual" in paper
    assert "Signerat av local" in paper
    told = page.get(f"/api/v1/devices/{new}/protocol/1").json()
    press = told["items"][0]
    assert (told["signed_by"], press["outcome"], press["type"]) == ("local", "fulfilled", "alarm.manual")
    assert press["prompt"]["sv"] == "Tryck på larmknappen nu"
    assert press["event"]
    assert press["occurred_at"]
    assert press["received_at"]
    for path in ("/devices", "/fleet"):
        assert "Godkänd" in page.get(path).text
    assert page.get(f"/devices/{new}/protocol/2").status_code == 404
    page.post(f"/api/v1/devices/{new}/replace", json={"native_id": f"{new}-b", "reason": "broken"})
    assert "Gäller inte längre" in page.get(f"/devices/{new}").text
    assert check(page, new)["standing"] == "lapsed"


def test_the_api_tells_how_a_check_stands_and_refuses_in_words(
    house: House, page: httpx.Client, new: str
) -> None:
    assert check(page, new)["standing"] == "not_checked"
    assert say(page, new, "open").status_code == 200
    assert say(page, new, "open").status_code == 409
    assert check(page, new)["missing"] == ["press", "heard", "battery", "clock"]
    refused = say(page, new, "sign")
    assert refused.status_code == 409
    assert "press" in refused.text
    assert say(page, new, "skip", step="battery").status_code == 409
    assert say(page, new, "skip", step="battery", reason="on a cable").status_code == 200
    assert say(page, new, "dance").status_code == 422
    house.send(new, "alarm.manual", presses=1)
    alert = next(one for one in check(page, new)["alerts"])
    assert alert["held"]
    house.send(new, "alarm.manual", presses=1)
    seen = say(page, new, "confirm", alert=alert["alert"], seen_count=1)
    assert seen.status_code == 409
    assert say(page, new, "give_up", reason="another day").status_code == 200
    told = check(page, new)
    assert (told["standing"], told["ended"]["how"]) == ("not_checked", "given_up")
    assert page.get(f"/devices/{new}/check").headers["location"] == f"/devices/{new}#check"
    assert any(one.device == new and one.asked == ("night",) for one in house.alerts())


def test_who_may_only_read_devices_sees_a_check_and_cannot_open_or_sign_one(
    tmp_path: Path,
) -> None:
    token, hashed = new_token()
    given = [{"name": "looker", "token_hash": hashed, "scopes": ["devices:read", "alerts:write"]}]
    with (
        running(tmp_path, token=given) as house,
        house.client(headers={"Authorization": f"Bearer {token}"}) as client,
    ):
        assert check(client, "t/sos-1")["standing"] == "not_checked"
        for word in ("open", "confirm", "sign"):
            assert say(client, "t/sos-1", word).status_code == 403


@pytest.mark.slow
def test_a_gateway_killed_in_the_middle_of_a_check_still_asks_for_the_same_and_holds_the_alarm(
    tmp_path: Path,
) -> None:
    token, hashed = new_token()
    gateway = GatewayProcess(tmp_path, registry=str(registry_file(tmp_path)))
    with (tmp_path / "vaka.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'[[api.token]]\nname = "engineer"\ntoken_hash = "{hashed}"\nscopes = {SCOPES}\n')
    door = {
        "id": "door",
        "adapter": "vaka",
        "native_id": "door",
        "kind": "door_contact",
        "home": "home-empty",
    }
    name = "t/new-1"
    alarm = door | {"id": name, "native_id": name, "kind": "social_alarm"}
    gateway.start()
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{gateway.page_port}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        ) as page:
            for one in (door, alarm):
                assert page.post("/api/v1/devices", json=one).status_code == 200
                assert say(page, one["id"], "open").status_code == 200
            assert say(page, "door", "skip", step="open", reason="nailed shut").status_code == 200
            event = {
                "specversion": "1.0",
                "id": "1",
                "source": f"vaka:{name}",
                "type": "vaka.alarm.manual.v1",
            }
            event |= {"time": datetime.now(UTC).isoformat(), "clockquality": "synced"}
            body = json.dumps(event | {"data": {"presses": 1}})
            assert page.post(f"/in/vaka/1/{name}/event", content=body).is_success
            before = [check(page, one) for one in ("door", name)]
            gateway.kill()
            gateway.start()
            assert [check(page, one) for one in ("door", name)] == before
            (alert,) = before[1]["alerts"]
            assert alert["held"]
            assert say(page, name, "give_up", reason="another day").status_code == 200
            course = page.get(f"/api/v1/alerts/{alert['alert']}").json()["history"]
            assert [one["detail"] for one in course if one["action"] == "offered"][-1] == "night"
    finally:
        gateway.stop()
