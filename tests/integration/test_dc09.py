"""The DC-09 way in over real sockets: what a panel is told, and when."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import pytest
from honest_intake import HonestIntake, until
from sip_unit import in_loop

from adapters.sia import ADAPTER
from adapters.sia.line import read_line
from gateway.dc09_settings import Dc09Settings
from gateway.model.frame import Transport
from gateway.service.clock import SystemClock
from gateway.sip import make_dc09
from gateway.transports.dc09 import Dc09Listener

Panel = tuple[asyncio.StreamReader, asyncio.StreamWriter]
FRAMES = {
    path.name.removesuffix(".json"): json.loads(path.read_text("utf-8"))
    for path in files("adapters.sia").joinpath("frames").iterdir()
}


def sent(name: str) -> bytes:
    line: bytes = FRAMES[name]["payload"].encode()
    return line if line.endswith(b"\r") else line + b"\r"


@asynccontextmanager
async def listening(intake: HonestIntake, **keys: Any) -> AsyncIterator[Dc09Listener]:
    settings = Dc09Settings.model_validate({"enabled": True, "tcp_port": 0, "udp_port": 0} | keys)
    made = make_dc09(settings, [ADAPTER], intake, SystemClock())
    assert made is not None
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def ask(panel: Panel, line: bytes) -> bytes:
    panel[1].write(line)
    return await asyncio.wait_for(panel[0].readuntil(b"\r"), 60)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("medical", b'"ACK"0013R1L0#1234[]'),
        ("link-test", b'"ACK"0000L0#AAA[]'),
        ("encrypted", b'"DUH"4480L0#EA1984[]'),
        ("unknown-code", b'"DUH"'),
        ("wrong-checksum", b'"NAK"0000R0L0A0[]_'),
        ("not-a-line", b'"NAK"0000R0L0A0[]_'),
    ],
)
@in_loop
async def test_a_panel_is_told_whether_its_line_was_understood(name: str, answer: bytes) -> None:
    async with listening(HonestIntake()) as made:
        panel = await asyncio.open_connection("127.0.0.1", made.ports["tcp"])
        told = await ask(panel, sent(name))
        panel[1].close()
    assert answer in told
    assert told.startswith(b"\n")
    if b"NAK" not in told:
        assert read_line(told).intact
    else:
        assert len(told) == len(b'\n00000000"NAK"0000R0L0A0[]_20:14:58,02-03-2026\r')


@in_loop
async def test_nothing_is_acknowledged_before_it_is_on_disk() -> None:
    intake = HonestIntake(by_itself=False)
    async with listening(intake) as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.ports["tcp"])
        writer.write(sent("medical"))
        await until(lambda: intake.waiting)
        told = asyncio.create_task(reader.readuntil(b"\r"))
        await asyncio.sleep(0)
        assert not told.done()
        intake.commit()
        assert b"ACK" in await asyncio.wait_for(told, 60)
        writer.close()
    [frame] = intake.durable
    assert (frame.transport, frame.channel) == (Transport.TCP, "sia/dc09")


@in_loop
async def test_a_datagram_is_answered_where_it_came_from() -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Panel(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _addr: object) -> None:
            heard.put_nowait(data)

    async with listening(HonestIntake()) as made:
        loop = asyncio.get_running_loop()
        place = ("127.0.0.1", made.ports["udp"])
        transport, _ = await loop.create_datagram_endpoint(Panel, remote_addr=place)
        transport.sendto(sent("link-test"))
        assert b'"ACK"' in await asyncio.wait_for(heard.get(), 60)
        transport.close()


@in_loop
async def test_lines_may_come_in_pieces_and_several_at_once() -> None:
    intake = HonestIntake()
    async with listening(intake) as made:
        panel = await asyncio.open_connection("127.0.0.1", made.ports["tcp"])
        line = sent("medical")
        panel[1].write(line[:20])
        await panel[1].drain()
        assert b"ACK" in await ask(panel, line[20:] + line + line)
        for _ in range(2):
            assert b"ACK" in await asyncio.wait_for(panel[0].readuntil(b"\r"), 60)
        panel[1].close()
    assert len(intake.durable) == 3


@in_loop
async def test_a_line_without_an_end_is_told_so_and_let_go() -> None:
    intake = HonestIntake()
    async with listening(intake, slow_s=0.2) as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.ports["tcp"])
        writer.write(b"A" * 3000)
        assert b"NAK" in await asyncio.wait_for(reader.readuntil(b"\r"), 60)
        await until(lambda: made.standing.connections == 0)
        writer.close()
        assert made.standing.too_long == 1
    assert intake.durable[0].fault.startswith("SIA-LINE")


@in_loop
async def test_a_full_gateway_answers_nothing_so_that_the_panel_sends_again() -> None:
    intake = HonestIntake(by_itself=False, limit=1)
    async with listening(intake) as made:
        panel = await asyncio.open_connection("127.0.0.1", made.ports["tcp"])
        panel[1].write(sent("medical") + sent("link-test"))
        await until(lambda: made.standing.turned_away)
        intake.commit()
        assert b"ACK" in await asyncio.wait_for(panel[0].readuntil(b"\r"), 60)
        panel[1].write(sent("link-test"))
        await until(lambda: intake.waiting)
        intake.commit()
        assert b"ACK" in await asyncio.wait_for(panel[0].readuntil(b"\r"), 60)
        panel[1].close()


@in_loop
async def test_a_stranger_is_not_heard() -> None:
    intake = HonestIntake()
    async with listening(intake, trusted=["192.0.2.0/24"]) as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.ports["tcp"])
        writer.write(sent("medical"))
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 60) == b""
        writer.close()
        assert made.standing.strangers == 1
    assert not intake.durable
