"""Who gets in, and what another web site cannot make a browser do."""

import logging
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from argon2 import PasswordHasher

from gateway.api.passwords import new_token
from tests.browser.whole_house import House, running

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
READER, READER_HASH = new_token()
WRITER, WRITER_HASH = new_token()
BRIDGE, BRIDGE_HASH = new_token()

USERS = [
    {"name": "anna", "password_hash": CHEAP.hash("night-shift"), "teams": ["night"]},
    {"name": "tore", "password_hash": CHEAP.hash("tool-box"), "teams": ["tech"]},
    {"name": "eva", "password_hash": CHEAP.hash("engine-room"), "role": "engineer"},
]
TOKENS = [
    {"name": "screen", "token_hash": READER_HASH, "scopes": ["alerts:read"]},
    {"name": "centre", "token_hash": WRITER_HASH, "scopes": ["alerts:read", "alerts:write"]},
    {"name": "bridge", "token_hash": BRIDGE_HASH, "scopes": ["frames:write"]},
]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a gateway with users and tokens."""
    with running(tmp_path_factory.mktemp("closed"), user=USERS, token=TOKENS) as found:
        yield found


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a gateway on a loopback without users."""
    with running(tmp_path_factory.mktemp("open")) as found:
        yield found


@contextmanager
def signed_in(house: House, name: str, password: str) -> Iterator[httpx.Client]:
    with house.client(headers={"Origin": house.url}) as client:
        answer = client.post("/login", data={"name": name, "password": password})
        assert answer.status_code == 303, answer.text
        client.headers["X-Vaka-Token"] = client.get("/api/v1/session").json()["forgery_token"]
        yield client


def sos(house: House) -> str:
    house.send("t/sos-1", "alarm.manual")
    return house.alert("sos").id


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/alerts",
        "/api/v1/alerts/x",
        "/api/v1/devices",
        "/api/v1/devices/discovered",
        "/api/v1/events?device=x",
        "/api/v1/trace",
        "/api/v1/trace/1",
        "/api/v1/quarantine",
        "/api/v1/live",
        "/api/v1/session",
        "/api/v1/openapi.json",
    ],
)
def test_without_signing_in_the_api_says_no(closed: House, path: str) -> None:
    with closed.client() as nobody:
        answer = nobody.get(path)
        assert answer.status_code == 401
        assert answer.json()["code"] == "not_signed_in"


@pytest.mark.parametrize(
    "path", ["/", "/closed", "/alerts/x", "/trace", "/trace/1", "/devices", "/quarantine"]
)
def test_without_signing_in_a_page_leads_to_the_door(closed: House, path: str) -> None:
    with closed.client() as nobody:
        answer = nobody.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/login?next={path}"


def test_every_route_but_the_named_ones_needs_a_right(closed: House) -> None:
    """Walk the routes themselves, so that a new one cannot be forgotten."""
    free = {"/login", "/api/v1/health", "/fhir/metadata"}
    described = closed.gateway.server.app.openapi()["paths"]  # type: ignore[union-attr]
    assert len(described) >= 14
    with closed.client() as nobody:
        for path, operations in described.items():
            for method in operations:
                address = path.replace("{alert_id}", "x").replace("{position}", "1").replace("{channel}", "x")
                if path not in free:
                    assert nobody.request(method, address).status_code == 401, (method, path)


def test_health_is_minimal_until_somebody_signs_in(closed: House) -> None:
    with closed.client() as nobody:
        assert set(nobody.get("/api/v1/health").json()) == {"status"}
        full = nobody.get("/api/v1/health", headers={"Authorization": f"Bearer {READER}"}).json()
    assert {"status", "cursor", "engine"} <= set(full)


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(closed: House) -> None:
    with closed.client(headers={"Origin": closed.url}) as client:
        answer = client.post("/login", data={"name": "anna", "password": "night-shift", "next": "/closed"})
        assert answer.headers["location"] == "/closed"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Path=/" in cookie


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x"]
)
def test_signing_in_never_leads_to_another_site(closed: House, target: str) -> None:
    with closed.client(headers={"Origin": closed.url}) as client:
        answer = client.post("/login", data={"name": "anna", "password": "night-shift", "next": target})
        assert answer.headers["location"] == "/"


def test_a_wrong_password_says_no_more_than_a_wrong_name(
    closed: House, caplog: pytest.LogCaptureFixture
) -> None:
    with closed.client(headers={"Origin": closed.url}) as client, caplog.at_level(logging.INFO):
        wrong = client.post("/login", data={"name": "eva", "password": "guess-17"})
        nobody = client.post("/login", data={"name": "nobody", "password": "guess-17"})
    assert wrong.status_code == nobody.status_code == 403
    shown = [re.sub(r'data-now="[^"]*"|eva|nobody', "", answer.text) for answer in (wrong, nobody)]
    assert shown[0] == shown[1]
    assert "set-cookie" not in wrong.headers
    assert "guess-17" not in caplog.text


def test_signing_out_ends_the_session_on_the_gateway_too(closed: House) -> None:
    with signed_in(closed, "anna", "night-shift") as client:
        cookie = client.cookies["vaka"]
        assert client.post("/logout").status_code == 303
        assert "vaka" not in client.cookies
        again = client.get("/api/v1/alerts", headers={"Cookie": f"vaka={cookie}"})
        assert again.status_code == 401


def test_people_see_the_alerts_of_their_teams_and_no_others(closed: House) -> None:
    alert = sos(closed)
    with signed_in(closed, "anna", "night-shift") as anna, signed_in(closed, "tore", "tool-box") as tore:
        assert alert in {one["id"] for one in anna.get("/api/v1/alerts").json()["alerts"]}
        assert tore.get("/api/v1/alerts").json()["alerts"] == []
        assert tore.get(f"/api/v1/alerts/{alert}").status_code == 404
        assert tore.post(f"/api/v1/alerts/{alert}/accept").status_code == 404
        taken = anna.post(f"/api/v1/alerts/{alert}/accept").json()
        assert taken["assignee"] == "anna"
        assert anna.post(f"/api/v1/alerts/{alert}/release").status_code == 200


def test_staff_may_not_see_what_is_for_engineers(closed: House) -> None:
    with signed_in(closed, "anna", "night-shift") as anna, signed_in(closed, "eva", "engine-room") as eva:
        for path in ("/api/v1/trace", "/api/v1/trace/1", "/api/v1/quarantine", "/api/v1/devices", "/trace"):
            assert anna.get(path).status_code == 403
            assert eva.get(path).status_code == 200
        assert 'href="/trace"' not in anna.get("/").text
        assert 'href="/trace"' in eva.get("/").text


def test_a_token_does_what_its_scopes_say_and_no_more(closed: House) -> None:
    alert = sos(closed)
    with closed.client() as client:

        def ask(token: str, method: str, path: str, **more: Any) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return client.request(method, path, headers=headers, **more).status_code

        assert ask(READER, "GET", "/api/v1/alerts") == 200
        assert ask(READER, "POST", f"/api/v1/alerts/{alert}/accept") == 403
        assert ask(READER, "GET", "/api/v1/trace") == 403
        assert ask(WRITER, "POST", f"/api/v1/alerts/{alert}/accept") == 200
        assert ask(WRITER, "POST", f"/api/v1/alerts/{alert}/release") == 200
        assert ask(BRIDGE, "GET", "/api/v1/alerts") == 403
        assert ask(BRIDGE, "POST", "/in/vaka/1/t/lock-1/event", content=b"x") == 202
        assert ask(READER, "POST", "/in/vaka/1/t/lock-1/event", content=b"x") == 403
        assert ask("vaka_guess", "GET", "/api/v1/alerts") == 401


def test_a_bad_token_never_falls_back_to_the_session(closed: House) -> None:
    with signed_in(closed, "eva", "engine-room") as eva:
        for header in ("Bearer vaka_guess", "Bearer", "Basic ZXZhOmVuZ2luZS1yb29t", "nonsense"):
            assert eva.get("/api/v1/alerts", headers={"Authorization": header}).status_code == 401


FORGED: list[tuple[str, dict[str, str]]] = [
    ("no token", {"X-Vaka-Token": ""}),
    ("a guessed token", {"X-Vaka-Token": "guess"}),
    ("another origin", {"Origin": "https://evil.example"}),
    ("an opaque origin", {"Origin": "null"}),
    ("another port of this machine", {"Origin": "http://127.0.0.1:1"}),
    ("a cross-site request", {"Sec-Fetch-Site": "cross-site"}),
    ("a sister site", {"Sec-Fetch-Site": "same-site"}),
    ("a typed address", {"Sec-Fetch-Site": "none"}),
]


@pytest.mark.parametrize(("why", "forged"), FORGED, ids=[why for why, _ in FORGED])
def test_another_web_site_cannot_close_an_alert_even_on_an_open_loopback(
    open_house: House, why: str, forged: dict[str, str]
) -> None:
    alert = sos(open_house)
    with open_house.browser_like() as client:
        for path, body in (
            (f"/api/v1/alerts/{alert}/close", {"json": {"outcome": "false"}}),
            (f"/alerts/{alert}/close", {"data": {"outcome": "false"}}),
        ):
            answer = client.post(path, headers=forged, **body)  # type: ignore[arg-type]
            assert answer.status_code == 403, why
        assert client.get(f"/api/v1/alerts/{alert}").json()["alert"]["state"] == "offered"


def test_a_request_without_any_origin_is_refused(open_house: House) -> None:
    alert = sos(open_house)
    with open_house.client() as client:
        token = client.get("/api/v1/session").json()["forgery_token"]
        answer = client.post(f"/api/v1/alerts/{alert}/accept", headers={"X-Vaka-Token": token})
        assert answer.status_code == 403


def test_a_token_of_one_session_is_no_good_in_another(closed: House) -> None:
    alert = sos(closed)
    with signed_in(closed, "anna", "night-shift") as one, signed_in(closed, "anna", "night-shift") as other:
        one.headers["X-Vaka-Token"] = other.headers["X-Vaka-Token"]
        assert one.post(f"/api/v1/alerts/{alert}/accept").status_code == 403


def test_signing_in_cannot_be_forged(closed: House) -> None:
    with closed.client(headers={"Origin": "https://evil.example"}) as client:
        answer = client.post("/login", data={"name": "anna", "password": "night-shift"})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_a_web_site_cannot_hand_in_messages_but_a_program_can(open_house: House) -> None:
    with open_house.client() as client:
        path = "/in/vaka/1/t/lock-1/event"
        assert client.post(path, content=b"x", headers={"Origin": "https://evil.example"}).status_code == 403
        assert client.post(path, content=b"x", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert client.post(path, content=b"x").status_code == 202


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""])
def test_a_name_that_is_not_ours_is_refused(open_house: House, host: str) -> None:
    with open_house.client() as client:
        for path in ("/", "/api/v1/alerts", "/api/v1/health", "/static/vaka.css"):
            assert client.get(path, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "[::1]:8080", "127.0.0.1"])
def test_our_own_names_are_answered(open_house: House, host: str) -> None:
    with open_house.client() as client:
        assert client.get("/api/v1/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/v1/alerts", "/static/vaka.css", "/api/v1/nowhere", "/login"])
def test_every_answer_carries_the_security_headers(open_house: House, path: str) -> None:
    with open_house.client() as client:
        headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_only_versioned_static_files_are_kept(open_house: House) -> None:
    with open_house.client() as client:
        assert "immutable" in client.get("/static/vaka.css?v=1").headers["cache-control"]
        assert client.get("/static/none.css?v=1").headers["cache-control"] == "no-store"
        assert client.get("/static/../app.py").status_code == 404
        assert client.get("/static/%2e%2e/app.py").status_code == 404


def test_a_body_past_the_limit_is_refused(open_house: House) -> None:
    alert = sos(open_house)
    with open_house.browser_like() as client:
        answer = client.post(f"/api/v1/alerts/{alert}/accept", content=b'{"note":"' + b"x" * 200_000)
        assert answer.status_code == 413


def test_a_page_answers_forms_of_browsers_without_script(open_house: House) -> None:
    alert = sos(open_house)
    with open_house.client(headers={"Origin": open_house.url}) as client:
        token = client.get("/api/v1/session").json()["forgery_token"]
        assert f'value="{token}"' in client.get("/").text
        form = {"forgery_token": token, "back": f"/alerts/{alert}"}
        taken = client.post(f"/alerts/{alert}/accept", data=form)
        assert (taken.status_code, taken.headers["location"]) == (303, f"/alerts/{alert}")
        count = open_house.alert("sos").count
        closed = client.post(
            f"/alerts/{alert}/close?seen={count}", data={**form, "outcome": "test", "back": "//evil"}
        )
        assert (closed.status_code, closed.headers["location"]) == (303, "/")
        again = client.post(f"/alerts/{alert}/close?seen={count}", data={**form, "outcome": "test"})
        assert again.status_code == 409
        assert "redan avslutat" in again.text


def test_over_tls_the_cookie_is_held_to_this_host_and_the_browser_to_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    for number, part in enumerate(issued.cert_chain_pems):
        part.write_to_path(tmp_path / "certificate.pem", append=number > 0)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    tls = {"certificate": str(tmp_path / "certificate.pem"), "key": str(tmp_path / "key.pem")}
    with (
        running(tmp_path, user=USERS, tls=tls) as house,
        house.client(verify=trust, headers={"Origin": house.url}) as client,
    ):
        answer = client.post("/login", data={"name": "anna", "password": "night-shift"})
        assert answer.headers["set-cookie"].startswith("__Host-vaka=")
        assert "Secure" in answer.headers["set-cookie"]
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert client.get("/api/v1/alerts").status_code == 200
