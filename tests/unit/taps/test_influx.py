"""The tap of figures against an HTTP server that answers as InfluxDB's documents say."""

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI, Request, Response
from test_points import NOW, Log, event

from gateway.contract import Page, TapFault
from gateway.model.registry import Registry, RegistryDocument
from gateway.service.tapping import TapMeans
from gateway.tap_settings import InfluxSettings, TapSettings
from gateway.taps.figures import InfluxTap
from gateway.taps.influx import make
from simulators.standins.server import served


class Influx:
    """Keeps lines; `judge` answers a write, None takes it."""

    def __init__(self) -> None:
        self.lines: set[str] = set()
        self.asked: list[tuple[dict[str, str], dict[str, str]]] = []
        self.judge: Callable[[list[str]], Response | None] = lambda _lines: None
        self.app = FastAPI(openapi_url=None)
        self.app.post("/api/v2/write")(self._write)

    async def _write(self, request: Request) -> Response:
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.asked.append((dict(request.query_params), dict(request.headers)))
        found = body.decode().split("\n")
        answer = self.judge(found)
        if answer is None:
            self.lines |= set(found)
        return answer or Response(status_code=204)


def told(status: int, message: str, code: str = "invalid") -> Response:
    return Response(json.dumps({"code": code, "message": message}), status, media_type="application/json")


@pytest.fixture
def server() -> Iterator[tuple[Influx, str]]:
    influx = Influx()
    with served(influx.app) as url:
        yield influx, url


LOG = Log([event(number, device=f"d{number}") for number in range(1, 21)])


def taps_for(url: str, **more: object) -> InfluxTap:
    section = InfluxSettings.model_validate({"url": url, "token": "t0", "org": "o", "bucket": "b"} | more)
    registry = Registry(RegistryDocument())
    (found,) = make(TapMeans(TapSettings(influx=(section,)), lambda: registry, LOG, LOG, None))  # type: ignore[arg-type]
    assert isinstance(found, InfluxTap)
    return found


def take(tap: InfluxTap, page: Page) -> list[tuple[str, str, bytes]]:
    async def once() -> list[tuple[str, str, bytes]]:
        try:
            return [(one.item, one.refused, one.body) for one in await tap.take(page)]
        finally:
            await tap.close()

    return asyncio.run(once())


def test_a_page_is_one_compressed_request_in_milliseconds_with_its_token(server: tuple[Influx, str]) -> None:
    influx, url = server
    assert take(taps_for(url), LOG.page(0, 100)) == []
    ((query, headers),) = influx.asked
    assert query == {"org": "o", "bucket": "b", "precision": "ms"}
    assert headers["authorization"] == "Token t0"
    assert headers["content-encoding"] == "gzip"
    assert len(influx.lines) == 20
    assert all(line.endswith(f" {int(NOW.timestamp() * 1000)}") for line in influx.lines)


def test_a_line_that_the_server_refuses_is_found_and_all_others_arrive(server: tuple[Influx, str]) -> None:
    influx, url = server

    def judge(lines: list[str]) -> Response | None:
        return told(400, "field type conflict") if any(",device=d7," in line for line in lines) else None

    influx.judge = judge
    ((item, reason, body),) = take(taps_for(url), LOG.page(0, 100))
    assert item == f"event/{LOG.events[6][1].id}"
    assert reason == "HTTP 400 field type conflict"
    assert b",device=d7," in body
    assert len(influx.lines) == 19
    influx.judge = lambda _lines: None
    tap = taps_for(url)

    async def again() -> str:
        try:
            return (await tap.again(item, body)).refused
        finally:
            await tap.close()

    assert not asyncio.run(again())
    assert len(influx.lines) == 20


def test_points_older_than_the_server_keeps_are_no_dead_letters(server: tuple[Influx, str]) -> None:
    influx, url = server
    influx.judge = lambda _lines: told(422, "partial write: points beyond retention policy dropped=20")
    assert take(taps_for(url), LOG.page(0, 100)) == []


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_an_answer_that_blames_the_account_or_the_server_is_a_fault_of_the_tap(
    server: tuple[Influx, str], status: int
) -> None:
    influx, url = server
    influx.judge = lambda _lines: told(status, "no")
    with pytest.raises(TapFault, match=str(status)):
        take(taps_for(url), LOG.page(0, 100))


def test_no_server_is_a_fault_of_the_tap() -> None:
    with pytest.raises(TapFault, match="no connection"):
        take(taps_for("http://127.0.0.1:9"), LOG.page(0, 100))


def test_a_tap_for_other_tenants_writes_nothing(server: tuple[Influx, str]) -> None:
    influx, url = server
    assert take(taps_for(url, tenants=["elsewhere"]), LOG.page(0, 100)) == []
    assert influx.asked == []


def test_without_a_server_configured_there_is_no_tap() -> None:
    means = TapMeans(TapSettings(), lambda: Registry(RegistryDocument()), LOG, LOG, None)  # type: ignore[arg-type]
    assert make(means) == []
