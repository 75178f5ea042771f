"""CloudEvents against a real HTTP receiver that checks every signature, and what is in them."""

import asyncio
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from msgspec.structs import replace
from test_points import NOW, PERSONAL, Log, event

from gateway.contract import ConfigurationError, Handed, Page, TapFault
from gateway.model.alert import AlertEntry, AlertType, Outcome, Phase, Severity
from gateway.model.registry import Registry, RegistryDocument
from gateway.model.vocabulary import LockValues, Means, Values
from gateway.service.tapping import TapMeans
from gateway.tap_settings import CloudEventsSettings, TapSettings
from gateway.taps.cloudevents import CloudEventsTap, make
from simulators.standins.server import served

SECRET = "whsec_" + b64encode(b"0123456789abcdef01234567").decode()


class Receiver:
    """Keeps what it took, by id; `judge` may answer otherwise."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.judge: Callable[[str, list[dict[str, Any]]], Response | None] = lambda _kind, _events: None
        self.app = FastAPI(openapi_url=None)
        self.app.post("/hook")(self._take)

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        name, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        key = b64decode(SECRET.removeprefix("whsec_"))
        good = hmac.new(key, f"{name}.{stamp}.".encode() + body, sha256).digest()
        if request.headers["webhook-signature"] != f"v1,{b64encode(good).decode()}":
            return Response("the signature is not good", 401)
        kind = request.headers["content-type"].partition(";")[0]
        found = json.loads(body)
        events = found if kind == "application/cloudevents-batch+json" else [found]
        self.requests.append((kind, name))
        answer = self.judge(kind, events)
        if answer is None:
            self.got += events
        return answer or Response(status_code=204)


@pytest.fixture(scope="module")
def listening() -> Iterator[tuple[Receiver, str]]:
    found = Receiver()
    with served(found.app) as url:
        yield found, f"{url}/hook"


@pytest.fixture
def receiver(listening: tuple[Receiver, str]) -> tuple[Receiver, str]:
    heard, _ = listening
    heard.got, heard.requests, heard.judge = [], [], lambda _kind, _events: None
    return listening


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> Any:
        return self.at

    def wait_s(self, _until: object) -> float:
        return 0.0


CLOCK = Clock()


def entry(frame: int, action: str = "raised", **more: Any) -> AlertEntry:
    said = {"phase": Phase.START, "severity": Severity.HIGH, "type": AlertType.PERSON} | more
    return AlertEntry(
        alert=f"a{frame}", version=1, at=NOW, action=action, actor="staff-7", frame=frame,
        detail="Karin fell", **said,
    )  # fmt: skip


LOG = Log([event(number, device=f"d{number}") for number in range(1, 8)], [entry(3), entry(5, "closed")])
IDS = [
    *(LOG.events[n][1].id for n in (0, 1, 2)), "a3:1",
    *(LOG.events[n][1].id for n in (3, 4)), "a5:1",
    *(LOG.events[n][1].id for n in (5, 6)),
]  # fmt: skip


def tap_for(url: str, **more: object) -> CloudEventsTap:
    section = CloudEventsSettings.model_validate({"name": "out", "url": url, "secret": SECRET} | more)
    registry = Registry(RegistryDocument())
    means = TapMeans(TapSettings(cloudevents=(section,)), lambda: registry, LOG, LOG, CLOCK)  # type: ignore[arg-type]
    (found,) = make(means)
    assert isinstance(found, CloudEventsTap)
    return found


def carried(tap: CloudEventsTap, *pages: Page) -> list[Handed]:
    async def all_of_them() -> list[Handed]:
        try:
            return [handed for page in pages for handed in await tap.take(page)]
        finally:
            await tap.close()

    return asyncio.run(all_of_them())


def test_a_page_goes_out_in_the_order_of_the_log_as_one_signed_batch(receiver: tuple[Receiver, str]) -> None:
    heard, url = receiver
    assert carried(tap_for(url), LOG.page(0, 100)) == []
    assert [one["id"] for one in heard.got] == IDS
    assert len(heard.requests) == 1
    assert heard.requests[0][0] == "application/cloudevents-batch+json"


def test_one_message_alone_is_in_structured_mode_and_its_request_has_its_id(
    receiver: tuple[Receiver, str],
) -> None:
    heard, url = receiver
    carried(tap_for(url), LOG.page(0, 1))
    assert heard.requests == [("application/cloudevents+json", IDS[0])]
    assert heard.got[0] == {
        "specversion": "1.0",
        "id": IDS[0],
        "source": "urn:vaka",
        "type": "se.vaka.motion.detected.v1",
        "subject": "d1",
        "time": "2026-11-22T12:00:00Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:vaka:outward:v1:event:motion.detected",
        "data": {
            "device": "d1", "kind": "motion_sensor", "home": "h1", "person": "p1",
            "occurred_at": "2026-11-22T12:00:00Z", "received_at": "2026-11-22T12:00:00Z",
            "clock": "synced", "late_s": 0.5,
        },
    }  # fmt: skip


def test_what_was_sent_before_a_restart_is_sent_again_with_the_same_ids_and_bytes(
    receiver: tuple[Receiver, str],
) -> None:
    heard, url = receiver
    carried(tap_for(url), LOG.page(0, 100))
    carried(tap_for(url), LOG.page(0, 100))
    assert heard.got[: len(IDS)] == heard.got[len(IDS) :]
    assert heard.requests[0] == heard.requests[1]


def test_a_receiver_without_batches_gets_one_message_a_request(receiver: tuple[Receiver, str]) -> None:
    heard, url = receiver
    heard.judge = lambda kind, _events: Response(status_code=415) if "batch" in kind else None
    assert carried(tap_for(url), LOG.page(0, 4), LOG.page(4, 100)) == []
    assert [one["id"] for one in heard.got] == IDS
    assert sum("batch" in kind for kind, _ in heard.requests) == 1


@pytest.mark.parametrize("status", [400, 410, 422])
def test_a_message_that_is_refused_is_found_in_its_batch_and_the_others_arrive(
    receiver: tuple[Receiver, str], status: int
) -> None:
    heard, url = receiver

    def judge(_kind: str, events: list[dict[str, Any]]) -> Response | None:
        bad = any(one["id"] == "a3:1" for one in events)
        return Response("we do not know it", status, media_type="text/plain") if bad else None

    heard.judge = judge
    tap = tap_for(url)
    (refused,) = carried(tap, LOG.page(0, 100))
    assert (refused.item, refused.refused) == ("a3:1", f"HTTP {status} we do not know it")
    assert sorted(one["id"] for one in heard.got) == sorted(set(IDS) - {"a3:1"})
    heard.judge = lambda _kind, _events: None

    async def again() -> Handed:
        try:
            return await tap.again(refused.item, refused.body)
        finally:
            await tap.close()

    assert asyncio.run(again()) == Handed(item="a3:1", proof="taken")
    assert heard.got[-1]["id"] == "a3:1"


@pytest.mark.parametrize("status", [301, 401, 404, 429, 500, 503])
def test_an_answer_that_is_not_about_the_message_is_a_fault_of_the_tap(
    receiver: tuple[Receiver, str], status: int
) -> None:
    heard, url = receiver
    heard.judge = lambda _kind, _events: Response(status_code=status)
    with pytest.raises(TapFault, match=str(status)):
        carried(tap_for(url), LOG.page(0, 100))


@pytest.mark.parametrize("told", ["120", "Sun, 22 Nov 2026 12:02:00 GMT"])
def test_a_receiver_that_asks_to_wait_is_left_alone_so_long(
    receiver: tuple[Receiver, str], told: str
) -> None:
    heard, url = receiver
    heard.judge = lambda _kind, _events: Response(status_code=429, headers={"retry-after": told})
    tap = tap_for(url)
    with pytest.raises(TapFault, match="429"):
        carried(tap, LOG.page(0, 100))
    heard.judge = lambda _kind, _events: None
    CLOCK.at = NOW + timedelta(seconds=119)
    with pytest.raises(TapFault, match="asked to wait until 2026-11-22T12:02:00"):
        carried(tap, LOG.page(0, 100))
    assert len(heard.requests) == 1
    CLOCK.at = NOW + timedelta(seconds=121)
    carried(tap, LOG.page(0, 100))
    CLOCK.at = NOW
    assert [one["id"] for one in heard.got] == IDS


def test_a_receiver_that_takes_little_at_a_time_gets_on(receiver: tuple[Receiver, str]) -> None:
    heard, url = receiver
    turn = 0

    def judge(kind: str, _events: list[dict[str, Any]]) -> Response | None:
        nonlocal turn
        turn += 1
        if "batch" in kind:
            return Response(status_code=415)
        return Response(status_code=429) if turn % 4 == 0 else None

    heard.judge = judge
    tap = tap_for(url)
    for _ in range(20):
        try:
            carried(tap, LOG.page(0, 100))
        except TapFault:
            continue
        break
    assert set(IDS) == {one["id"] for one in heard.got}


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"types": ["alert."]}, ["a3:1", "a5:1"]),
    ({"types": ["alert.closed"]}, ["a5:1"]),
    ({"types": ["motion."]}, [name for name in IDS if ":" not in name]),
    ({"types": ["alert."], "severities": ["low"]}, []),
    ({"types": ["alert."], "severities": ["high"]}, ["a3:1", "a5:1"]),
    ({"tenants": ["elsewhere"]}, []),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
def test_a_receiver_gets_what_it_wants_and_no_more(
    receiver: tuple[Receiver, str], filters: dict[str, Any], expected: list[str]
) -> None:
    heard, url = receiver
    carried(tap_for(url, **filters), LOG.page(0, 100))
    assert [one["id"] for one in heard.got] == expected


@pytest.mark.parametrize("values", PERSONAL)
def test_no_credential_visit_text_or_position_leaves(receiver: tuple[Receiver, str], values: Values) -> None:
    heard, url = receiver
    log = Log([event(1, values=values)], [entry(2)])
    carried(tap_for(url), log.page(0, 9))
    told = json.dumps(heard.got)
    for word in ("tag-77", "visit-9", "59.3", "18.1", "bedroom", "Karin", "Kar", "staff-7", "fell"):
        assert word not in told


def test_an_alert_is_told_as_it_was_and_not_as_it_stands_now(receiver: tuple[Receiver, str]) -> None:
    heard, url = receiver
    page = LOG.page(4, 1)
    carried(tap_for(url), page)
    now = {name: replace(one, count=9, severity=Severity.LOW, version=7) for name, one in page.alerts.items()}
    carried(tap_for(url), replace(page, alerts=now))
    first, second = (one for one in heard.got if one["id"] == "a5:1")
    assert first == second
    assert first["severity"] == "high"
    done = {name: replace(one, outcome=Outcome.REAL) for name, one in page.alerts.items()}
    carried(tap_for(url), replace(page, alerts=done))
    assert heard.got[-1]["data"]["outcome"] == "real"


def test_values_that_say_nothing_of_whom_and_where_are_told(receiver: tuple[Receiver, str]) -> None:
    heard, url = receiver
    log = Log([event(1, values=LockValues(means=Means.TAG, battery_percent=12.0, credential="tag-77"))])
    carried(tap_for(url), log.page(0, 9))
    assert heard.got[0]["data"]["values"] == {"means": "tag", "battery_percent": 12.0}


def test_nobody_there_is_a_fault_of_the_tap() -> None:
    with pytest.raises(TapFault, match="no connection"):
        carried(tap_for("http://127.0.0.1:9/hook"), LOG.page(0, 100))
    with pytest.raises(TapFault, match="no connection"):
        carried(tap_for("mqtt://127.0.0.1:9"), LOG.page(0, 100))


def test_a_brokers_authority_that_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^taps\.cloudevents out: ca .*missing\.pem: "):
        tap_for("mqtts://broker.example", ca=str(tmp_path / "missing.pem"))
