"""`vaka conform run --sip` as a process of its own, against an alarm unit on real UDP and TCP sockets."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from gateway.conformance.scaip.cases import clauses
from gateway.conformance.verdict import Verdict
from simulators.mutants.alarm_unit import AlarmUnit
from tests.integration.conformance_kit import hook, kit

DECLARATION = """
[device]
vendor = "Exempel AB"
product = "TL-1"
firmware = "1.4"
kind = "social_alarm"
[connection]
tenant = "demo"
device = "alarm-1"
[pics]
events = ["alarm.manual"]
[pixit]
heartbeat_s = 1
operate_s = 1
margin_s = 2
[scaip]
cid = "26317"
over = "{over}"
heartbeat = true
again_s = 0.5
[tester]
by = "http"
url = "{url}"
actions = ["event"]
"""


class Datagrams(asyncio.DatagramProtocol):
    unit: AlarmUnit

    def datagram_received(self, data: bytes, _addr: object) -> None:
        self.unit.heard(data)


async def over_udp(port: int) -> tuple[AlarmUnit, asyncio.BaseTransport]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Datagrams, remote_addr=("127.0.0.1", port))
    at = "{}:{}".format(*transport.get_extra_info("sockname"))
    protocol.unit = AlarmUnit(transport.sendto, at=at, again_s=0.5, heartbeat_s=0.5)
    return protocol.unit, transport


async def over_tcp(port: int) -> tuple[AlarmUnit, asyncio.BaseTransport]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    at = "{}:{}".format(*writer.get_extra_info("sockname"))
    unit = AlarmUnit(writer.write, over="TCP", at=at, again_s=0.5, heartbeat_s=0.5)
    asyncio.get_running_loop().create_task(read(reader, unit)).add_done_callback(lambda _: writer.close())
    return unit, writer.transport


async def read(reader: asyncio.StreamReader, unit: AlarmUnit) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            unit.heard(head + await reader.readexactly(int(length[1]) if length else 0))
    except (asyncio.IncompleteReadError, OSError):
        return


class Standing:
    """A unit that lives in a thread of its own until it is ended."""

    def __init__(self, over: str) -> None:
        self._open = over_udp if over == "udp" else over_tcp
        self._loop = asyncio.new_event_loop()
        self._there = Event()
        self._thread: Thread | None = None
        self._ending = asyncio.Event()
        self._unit: AlarmUnit | None = None

    def start(self, port: int) -> None:
        self._thread = Thread(target=self._loop.run_until_complete, args=(self._live(port),))
        self._thread.start()
        assert self._there.wait(30)

    async def _live(self, port: int) -> None:
        self._unit, transport = await self._open(port)
        self._unit.begin()
        self._there.set()
        await self._ending.wait()
        await self._unit.end()
        transport.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)

    def press(self, action: str, values: dict[str, Any]) -> None:
        assert self._there.wait(30)  # the kit asks as soon as it listens
        assert self._unit is not None
        asyncio.run_coroutine_threadsafe(self._unit.do(action, values), self._loop).result(30)

    def end(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(30)
        self._loop.close()


@contextmanager
def standing(over: str) -> Iterator[Standing]:
    unit = Standing(over)
    try:
        yield unit
    finally:
        unit.end()


@pytest.mark.parametrize("over", ["udp", "tcp"])
def test_a_unit_on_real_sockets_passes_what_it_declares(over: str, tmp_path: Path) -> None:
    declaration = tmp_path / "unit.toml"
    with standing(over) as unit, hook(unit.press) as url:
        declaration.write_text(DECLARATION.format(over=over, url=url))
        with kit(tmp_path, declaration, "--sip") as one:
            unit.start(one.port)
            report = one.report(120)
    failed = {one.id: one.reason for one in report.clauses if one.verdict is Verdict.FAIL}
    assert failed == {}
    assert report.verdict is Verdict.PASS, {one.id: (one.verdict, one.reason) for one in report.clauses}
    assert len(report.clauses) == len(clauses()) + 1
