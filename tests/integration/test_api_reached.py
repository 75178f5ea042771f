"""What a browser tells of itself: of a signed-in person, of a push service, and only what is theirs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from gateway.api.passwords import hash_password
from tests.browser.whole_house import House, running
from tests.integration.mosquitto import free_port

GOOD = {
    "endpoint": "https://fcm.googleapis.com/fcm/send/abc",
    "keys": {"p256dh": "BGjDr_8Ht8", "auth": "c2VjcmV0"},
}
PASSWORD = "a long made-up password"
PATH = "/api/v1/push/subscriptions"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    port = free_port()
    channels = {"public_url": f"http://127.0.0.1:{port}", "webpush": {"subject": "mailto:ops@example.org"}}
    users = [
        {"name": "anna", "password_hash": hash_password(PASSWORD), "teams": ["night"]},
        {"name": "tove", "password_hash": hash_password(PASSWORD), "teams": ["tech"]},
        {"name": "ines", "password_hash": hash_password(PASSWORD), "role": "engineer"},
    ]
    with running(tmp_path_factory.mktemp("house"), channels, port=port, user=users) as found:
        yield found


@contextmanager
def signed_in(house: House, name: str) -> Iterator[httpx.Client]:
    with house.client(headers={"Origin": house.url}) as client:
        client.post("/login", data={"name": name, "password": PASSWORD})
        client.headers["X-Vaka-Token"] = client.get("/api/v1/session").json()["forgery_token"]
        yield client


@pytest.fixture(scope="module")
def anna(house: House) -> Iterator[httpx.Client]:
    with signed_in(house, "anna") as client:
        yield client


def test_a_subscription_is_kept_for_whoever_is_signed_in_and_told_once(
    house: House, anna: httpx.Client
) -> None:
    assert len(anna.get("/api/v1/push").json()["key"]) == 87
    for _ in range(3):
        assert anna.post(PATH, json=GOOD).status_code == 204
    book = house.gateway.contacts
    assert [json.loads(one) for one in book.addresses("anna", "webpush")] == [GOOD]
    assert anna.request("DELETE", PATH, json=GOOD).status_code == 204
    assert book.addresses("anna", "webpush") == []


def test_nobody_is_subscribed_without_the_pages_own_token_or_a_session(
    house: House, anna: httpx.Client
) -> None:
    assert anna.post(PATH, json=GOOD, headers={"X-Vaka-Token": "other"}).status_code == 403
    assert anna.post(PATH, json=GOOD, headers={"Origin": "https://evil.example"}).status_code == 403
    with house.client() as nobody:
        assert nobody.post(PATH, json=GOOD).status_code == 401


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.example/push",
        "https://fcm.googleapis.com.evil.example/push",
        "https://user@fcm.googleapis.com/push",
        "https://fcm.googleapis.com:8443/push",
        "http://fcm.googleapis.com/push",
        "http://127.0.0.1:8080/api/v1/health",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://[",
        "",
    ],
)
def test_an_endpoint_that_is_no_push_service_is_refused(anna: httpx.Client, endpoint: str) -> None:
    assert anna.post(PATH, json={**GOOD, "endpoint": endpoint}).status_code == 409


@pytest.mark.parametrize(
    "wrong",
    [{}, {"endpoint": "x"}, {**GOOD, "keys": {"p256dh": "!", "auth": "x"}}, {**GOOD, "endpoint": "x" * 3000}],
)
def test_a_subscription_of_another_form_is_refused(anna: httpx.Client, wrong: dict[str, Any]) -> None:
    assert anna.post(PATH, json=wrong).status_code == 422


def test_a_card_on_the_screen_proves_the_delivery_to_those_it_was_offered_to(house: House) -> None:
    house.send("t/sos-1", "alarm.manual")
    alert = house.alert("sos").id

    def shown_by(name: str) -> set[str]:
        with signed_in(house, name) as client:
            assert (
                client.post("/api/v1/displayed", json={"alerts": [alert, alert, "unknown"]}).status_code
                == 204
            )
        house.frame_passed()
        return {one.state.value for one in house.gateway.store.deliveries(alert) if one.channel == "page"}

    assert shown_by("tove") == {"failed"}, "another team"
    assert shown_by("ines") == {"failed"}, "an engineer looks on"
    assert shown_by("anna") == {"failed", "displayed"}
    assert shown_by("anna") == {"failed", "displayed"}


def test_beats_reach_the_journal_only_when_something_changed(house: House, anna: httpx.Client) -> None:
    def told() -> int:
        frames = house.gateway.journal.read(0, 10_000)
        return sum(frame.channel == "staff/anna/reach" and b'"page"' in frame.payload for frame in frames)

    for _ in range(20):
        assert anna.post("/api/v1/beat").status_code == 204
    house.wait(lambda: told() > 0)
    house.frame_passed()
    assert told() == 1


def test_the_worker_is_served_for_the_whole_site_and_the_manifest_names_it(house: House) -> None:
    with house.client() as anybody:
        worker = anybody.get("/sw.js")
        manifest = json.loads(anybody.get("/static/manifest.webmanifest").text)
    assert worker.headers["content-type"].startswith("text/javascript")
    assert "no-store" in worker.headers["cache-control"]
    assert (manifest["start_url"], manifest["display"]) == ("/", "standalone")


def test_no_address_is_in_the_log(house: House, anna: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    anna.post(PATH, json=GOOD)
    house.gateway.contacts.note("night", "sms", "+46701740605")
    house.send("t/sos-2", "alarm.manual")
    house.frame_passed()
    assert "fcm.googleapis.com" not in caplog.text
    assert "46701740605" not in caplog.text
    frames = house.gateway.journal.read(0, 10_000)
    assert not any(b"46701740605" in frame.payload or b"googleapis" in frame.payload for frame in frames)
