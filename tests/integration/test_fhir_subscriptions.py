"""Subscriptions over a whole running gateway and a real endpoint: rest-hook, topics, outage, restart."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from gateway.api.passwords import hash_password, token_hash
from simulators.standins.server import served
from tests.browser.whole_house import House, running
from tests.integration.mosquitto import wait_for

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
TOPIC = "https://vaka.example.org/fhir/SubscriptionTopic"
ALERTS = f"{TOPIC}/alert"


class Endpoint:
    """Keeps what it is sent; `status` is what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, Any]] = []
        self.headers: list[str] = []
        self.status = 200
        self.app = FastAPI(openapi_url=None)
        self.app.add_api_route("/{path:path}", self._take, methods=["POST", "PUT"])

    async def _take(self, request: Request, path: str) -> Response:
        body = await request.body()
        self.headers.append(request.headers.get("authorization", ""))
        if self.status == 200:
            self.got.append((request.method, path, await request.json() if body else None))
        return Response(status_code=self.status)


@pytest.fixture
def endpoint() -> Iterator[tuple[Endpoint, str]]:
    found = Endpoint()
    with served(found.app) as url:
        yield found, url


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("subscriptions")) as found:
        yield found


@pytest.fixture
def client(house: House) -> Iterator[httpx.Client]:
    with house.browser_like() as found:
        yield found
        for one in found.get("/fhir/Subscription").json().get("entry", []):
            found.delete(f"/fhir/Subscription/{one['resource']['id']}")


def asked(criteria: str, endpoint: str, **channel: Any) -> dict[str, Any]:
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "a test",
        "criteria": criteria,
        "channel": {"type": "rest-hook", "endpoint": endpoint} | channel,
    }


def topic(name: str, endpoint: str, content: str, *filters: str) -> dict[str, Any]:
    code = {"url": f"{BACKPORT}/backport-payload-content", "valueCode": content}
    found = asked(f"{TOPIC}/{name}", endpoint, payload="application/fhir+json")
    found["channel"]["_payload"] = {"extension": [code]}
    named = [{"url": f"{BACKPORT}/backport-filter-criteria", "valueString": one} for one in filters]
    return found | ({"_criteria": {"extension": named}} if named else {})


def wait(house: House, fits: Callable[[], bool]) -> None:
    house.wait(fits)


def test_a_rest_hook_is_sent_each_resource_that_fits_and_nothing_else(
    house: House, client: httpx.Client, endpoint: tuple[Endpoint, str]
) -> None:
    there, url = endpoint
    wanted = asked(
        "Observation?code=lock.unlocked",
        url,
        payload="application/fhir+json",
        header=["Authorization: Bearer s"],
    )
    made = client.post("/fhir/Subscription", json=wanted)
    assert made.status_code == 201, made.text
    told = made.json()
    import_module("fhir.resources.R4B.subscription").Subscription.model_validate(told)
    assert (told["status"], told["channel"]["header"]) == ("active", ["Authorization: ***"])
    house.send("t/lock-1", "lock.locked")
    house.send("t/lock-1", "lock.unlocked", means="tag", credential="tag-7")
    wait(house, lambda: bool(there.got))
    ((method, path, resource),) = there.got
    assert (method, path) == ("PUT", f"Observation/{resource['id']}")
    assert resource["code"]["coding"][0]["code"] == "lock.unlocked"
    assert there.headers == ["Bearer s"]
    read = client.get(f"/fhir/Observation/{resource['id']}").json()
    assert read == resource


def test_without_a_payload_only_a_bare_call_is_made(
    house: House, client: httpx.Client, endpoint: tuple[Endpoint, str]
) -> None:
    there, url = endpoint
    client.post(
        "/fhir/Subscription", json=asked("Observation?code=door.opened", f"{url}/bell")
    ).raise_for_status()
    house.send("t/lock-1", "door.opened")
    wait(house, lambda: bool(there.got))
    assert there.got == [("POST", "bell", None)]


def test_a_topic_shakes_hands_tells_of_an_alert_and_numbers_what_it_tells(
    house: House, client: httpx.Client, endpoint: tuple[Endpoint, str]
) -> None:
    there, url = endpoint
    filters = "DetectedIssue?patient=Patient/person-17"
    made = client.post("/fhir/Subscription", json=topic("alert", f"{url}/t", "full-resource", filters))
    assert made.status_code == 201, made.text
    name = made.json()["id"]
    assert parameters(there.got[0][2])["type"] == "handshake"
    house.send("t/sos-1", "alarm.manual", presses=1)
    wait(house, lambda: len(there.got) > 1)
    bundle = there.got[1][2]
    import_module("fhir.resources.R4B.bundle").Bundle.model_validate(bundle)
    status, issue = (one["resource"] for one in bundle["entry"])
    assert issue["resourceType"] == "DetectedIssue"
    assert parameters(bundle) | {
        "type": "event-notification",
        "events-since-subscription-start": "1",
    } == parameters(bundle)
    event = next(one["part"] for one in status["parameter"] if one["name"] == "notification-event")
    assert event[0] == {"name": "event-number", "valueString": "1"}
    assert event[2]["valueReference"]["reference"].endswith(f"/fhir/DetectedIssue/{issue['id']}")

    def told() -> str:
        said = client.get(f"/fhir/Subscription/{name}/$status").json()["entry"][0]["resource"]
        named = {one["name"]: one for one in said["parameter"]}
        return str(named["events-since-subscription-start"]["valueString"])

    wait_for(lambda: told() == "1")


def parameters(bundle: dict[str, Any]) -> dict[str, Any]:
    told = bundle["entry"][0]["resource"]["parameter"]
    values = {one["name"]: next((v for k, v in one.items() if k.startswith("value")), None) for one in told}
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize(("content", "entries"), [("empty", 1), ("id-only", 2)])
def test_less_is_told_where_less_was_asked(
    house: House, client: httpx.Client, endpoint: tuple[Endpoint, str], content: str, entries: int
) -> None:
    there, url = endpoint
    wanted = topic("event", url, content, "Observation?code=door.closed")
    client.post("/fhir/Subscription", json=wanted).raise_for_status()
    house.send("t/lock-1", "door.closed")
    wait(house, lambda: len(there.got) > 1)
    bundle = there.got[1][2]
    assert len(bundle["entry"]) == entries
    assert all("resource" not in one for one in bundle["entry"][1:])


def test_an_endpoint_that_is_away_gets_everything_later_and_the_subscription_says_so(
    house: House, client: httpx.Client, endpoint: tuple[Endpoint, str]
) -> None:
    there, url = endpoint
    wanted = topic("event", url, "full-resource", "Observation?code=motion.detected")
    name = client.post("/fhir/Subscription", json=wanted).json()["id"]
    there.status = 503
    for _ in range(3):
        house.send("t/sos-2", "motion.detected")
    wait(house, lambda: bool(house.gateway.taps.report()[f"subscription-{name}"]["fault"]))
    told = client.get(f"/fhir/Subscription/{name}").json()
    assert (told["status"], told["error"]) == ("error", "HTTP 503")
    there.status = 200
    wait(house, lambda: sum(len(bundle["entry"]) - 1 for _, _, bundle in there.got) == 3)
    numbers = [
        part["valueString"]
        for _, _, bundle in there.got
        for one in bundle["entry"][0]["resource"]["parameter"]
        for part in one.get("part", [])
        if part["name"] == "event-number"
    ]
    assert numbers == ["1", "2", "3"]


def test_a_subscription_outlives_the_gateway_and_misses_nothing(
    tmp_path: Path, endpoint: tuple[Endpoint, str]
) -> None:
    there, url = endpoint
    with running(tmp_path) as house, house.browser_like() as client:
        wanted = topic("event", url, "id-only", "Observation?code=lock.locked")
        name = client.post("/fhir/Subscription", json=wanted).json()["id"]
        there.status = 503
        house.send("t/lock-1", "lock.locked")
        wait(house, lambda: bool(house.gateway.taps.report()[f"subscription-{name}"]["fault"]))
    there.status = 200
    with running(tmp_path) as house, house.browser_like() as client:
        wait(house, lambda: len(there.got) > 1)
        assert len(there.got[1][2]["entry"]) == 2
        assert client.delete(f"/fhir/Subscription/{name}").status_code == 204
        assert client.get(f"/fhir/Subscription/{name}").status_code == 404
        assert f"subscription-{name}" not in house.gateway.taps.names


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"resourceType": "Patient"}, "resourceType"),
        ({"criteria": "Patient?gender=male"}, "criteria"),
        ({"criteria": "Observation?colour=red"}, "colour"),
        ({"criteria": "Observation?date=ge2020"}, "date"),
        ({"channel": {"type": "email", "endpoint": "mailto:x"}}, "channel.type"),
        ({"channel": {"type": "rest-hook", "endpoint": "http://example.org"}}, "channel.endpoint"),
        (
            {"channel": {"type": "rest-hook", "endpoint": "https://x", "header": ["nonsense"]}},
            "channel.header",
        ),
        (
            {"channel": {"type": "rest-hook", "endpoint": "https://x", "payload": "text/html"}},
            "channel.payload",
        ),
        ({"end": "soon"}, "end"),
        ({"end": "2020-01-01T00:00:00Z"}, "end"),
        ({"criteria": "Observation?patient="}, "patient"),
        ({"criteria": "Observation?code=,"}, "code"),
        ({"criteria": "Observation?patient=Group/x"}, "patient"),
        ({"criteria": ALERTS, "_criteria": {"extension": 5}}, "_criteria.extension"),
        ({"channel": {"type": "rest-hook", "endpoint": "https://x", "extension": 5}}, "channel.extension"),
        ({"channel": {"type": "rest-hook", "endpoint": "https://x", "payload": ["x"]}}, "channel.payload"),
        ({"channel": {"type": "rest-hook", "endpoint": "https://[::1"}}, "channel.endpoint"),
        ({"channel": {"type": "rest-hook", "endpoint": "https://x:99999999"}}, "channel.endpoint"),
        (
            {"criteria": ALERTS, "channel": {"type": "rest-hook", "endpoint": "https://x", "_payload": 7}},
            "channel._payload",
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_by_its_element(
    client: httpx.Client, broken: dict[str, Any], said: str
) -> None:
    answer = client.post("/fhir/Subscription", json=asked("Observation", "https://x.example.org") | broken)
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")
    assert said in answer.json()["issue"][0]["diagnostics"]
    assert client.get("/fhir/Subscription").json().get("entry", []) == []


def test_a_topics_endpoint_that_does_not_answer_the_handshake_is_refused(client: httpx.Client) -> None:
    answer = client.post("/fhir/Subscription", json=topic("alert", "http://127.0.0.1:9/", "empty"))
    assert (answer.status_code, "handshake" in answer.text) == (400, True)


def test_a_subscription_does_not_outlive_its_token_and_an_engineer_can_end_it(
    tmp_path: Path, endpoint: tuple[Endpoint, str]
) -> None:
    there, url = endpoint
    engineer = {"name": "eva", "role": "engineer", "password_hash": hash_password("eva")}
    token = {"name": "integrator", "token_hash": token_hash("x"), "scopes": ["fhir:subscribe"]}
    as_token = {"Authorization": "Bearer x"}
    with running(tmp_path, user=[engineer], token=[token]) as house, house.client() as client:
        made = client.post("/fhir/Subscription", json=asked("Observation", url), headers=as_token)
        assert made.status_code == 201, made.text
        name = made.json()["id"]
        house.send("t/lock-1", "lock.locked")
        wait_for(lambda: there.got)
    there.got.clear()
    with running(tmp_path, user=[engineer]) as house, house.client() as client:
        client.headers["Origin"] = house.url
        client.post("/login", data={"name": "eva", "password": "eva"})
        client.headers["X-Vaka-Token"] = client.get("/api/v1/session").json()["forgery_token"]
        told = client.get(f"/fhir/Subscription/{name}").json()
        assert (told["status"], told["error"]) == ("off", "its owner may not subscribe any more")
        house.send("t/lock-1", "lock.locked")
        assert client.delete(f"/fhir/Subscription/{name}").status_code == 204
    assert there.got == []
