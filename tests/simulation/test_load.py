"""The load generator's accounts, held against a tiny sink: nothing counted that was not acknowledged."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.contract.errors import ConfigurationError
from gateway.model.vocabulary import BY_WIRE
from simulators.broker import Broker, read_broker
from simulators.load import Counts, Plan, Report, open_sink, run_load
from simulators.load.packets import puback_ids, split, varint
from simulators.load.plan import DATA
from simulators.load.sink import Sink

BOUND_S = 30


class Heard:
    """What a sink was given: the payloads, and its counts."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.counts = Counts()

    @property
    def ids(self) -> list[str]:
        return [msgspec.json.decode(payload)["id"] for payload in self.payloads]


def load(heard: Heard, cut_every: int = 0, sink: type[Sink] = Sink, **more: Any) -> Report:
    async def run() -> Report:
        if sink is Sink:
            server = await open_sink("127.0.0.1", 0, heard.counts, heard.payloads.append, cut_every)
        else:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(
                lambda: sink(heard.counts, heard.payloads.append), "127.0.0.1", 0
            )
        port = server.sockets[0].getsockname()[1]
        plan = Plan(broker=Broker("127.0.0.1", port), **{"connections": 3, "messages": 3000, **more})
        async with server:
            return await asyncio.wait_for(run_load(plan, asyncio.Event()), BOUND_S)

    return asyncio.run(run())


def test_every_message_is_sent_once_and_acknowledged_once() -> None:
    heard = Heard()
    report = load(heard)
    assert report.acknowledged == report.packets == len(set(heard.ids)) == len(heard.ids) == 3000
    assert report.resent == report.stray_acks == report.reconnects == 0


def test_every_message_is_a_valid_event_of_a_device_of_its_own_with_rising_sequence() -> None:
    heard = Heard()
    load(heard, alarm_every=10)
    last: dict[str, int] = {}
    for payload in heard.payloads:
        body = msgspec.json.decode(payload)
        msgspec.convert(body["data"], BY_WIRE[body["type"]].values)
        assert body["sequence"] > last.get(body["source"], 0)
        last[body["source"]] = body["sequence"]
    assert len(last) == 3


@pytest.mark.parametrize("kind", sorted(DATA))
def test_every_type_that_can_be_sent_in_mass_has_values_of_the_vocabulary(kind: str) -> None:
    heard = Heard()
    load(heard, kind=kind, messages=9)
    for payload in heard.payloads:
        body = msgspec.json.decode(payload)
        assert body["type"] == f"vaka.{kind}.v1"
        msgspec.convert(body["data"], BY_WIRE[body["type"]].values)


def test_every_so_manieth_message_is_an_alarm() -> None:
    heard = Heard()
    load(heard, alarm_every=100)
    kinds = Counter(msgspec.json.decode(payload)["type"] for payload in heard.payloads)
    assert kinds == {"vaka.alarm.manual.v1": 30, "vaka.motion.detected.v1": 2970}


def test_a_cut_connection_is_made_again_and_the_unacknowledged_are_sent_with_dup(tmp_path: Path) -> None:
    heard, acked = Heard(), tmp_path / "acked"
    report = load(heard, cut_every=400, window=64, acked=acked)
    assert report.reconnects > 0
    assert heard.counts.connections == 3 + report.reconnects
    assert report.resent > 0
    assert 0 < heard.counts.duplicates <= report.resent
    assert report.acknowledged == 3000
    assert len({line.split("\t")[1] for line in acked.read_text().splitlines()}) == 3000
    assert len(set(heard.ids)) == 3000


def test_the_record_holds_exactly_what_was_acknowledged(tmp_path: Path) -> None:
    heard, acked = Heard(), tmp_path / "acked"
    load(heard, acked=acked, duplicate=0.2)
    rows = sorted(tuple(line.split("\t")) for line in acked.read_text().splitlines())
    sent = {
        (body["source"].removeprefix("vaka:"), body["id"], body["time"])
        for body in map(msgspec.json.decode, heard.payloads)
    }
    assert rows == sorted(sent)


def test_deliberate_duplicates_repeat_the_id_and_count_once() -> None:
    heard = Heard()
    report = load(heard, duplicate=0.1)
    twice = [key for key, times in Counter(heard.ids).items() if times == 2]
    assert len(twice) == report.duplicated > 100
    assert report.acknowledged == 3000
    assert report.packets == 3000 + report.duplicated


def test_deliberate_disorder_loses_nothing() -> None:
    heard = Heard()
    report = load(heard, reorder=1, connections=1)
    sequences = [msgspec.json.decode(payload)["sequence"] for payload in heard.payloads]
    assert sequences != sorted(sequences)
    assert report.acknowledged == len(set(heard.ids)) == 3000


class DeafSink(Sink):
    """Takes everything and acknowledges no PUBLISH."""

    def _answer(self, data: bytes, first: int, body: int, end: int, out: bytearray) -> None:
        answer = bytearray()
        super()._answer(data, first, body, end, answer)
        if answer[:1] != b"\x40":
            out += answer


def test_no_more_than_the_window_is_ever_unacknowledged_and_patience_has_an_end() -> None:
    heard = Heard()
    report = load(heard, sink=DeafSink, window=7, patience_s=0.5)
    assert heard.counts.received == 3 * 7
    assert report.acknowledged == 0
    assert report.p50_ms is None


class StallingSink(Sink):
    """Holds every answer back for a while, once, as a disk does."""

    stalled = False
    stall_s = 0.4

    def data_received(self, data: bytes) -> None:
        if self.counts.received < 100 or StallingSink.stalled:
            super().data_received(data)
            return
        StallingSink.stalled = True
        transport = self._transport
        assert transport
        transport.pause_reading()
        asyncio.get_running_loop().call_later(self.stall_s, self._go_on, data)

    def _go_on(self, data: bytes) -> None:
        super().data_received(data)
        assert self._transport
        self._transport.resume_reading()


def test_a_stall_is_charged_to_every_message_that_was_meant_for_its_time() -> None:
    StallingSink.stalled = False
    report = load(Heard(), sink=StallingSink, rate=1000, messages=1000, connections=1, window=10)
    assert report.max_ms
    assert report.p50_ms is not None
    assert report.max_ms >= 390
    assert report.p99_ms
    # A window of 10 means that only ten were on the wire: counting from the write would charge 1 % only.
    assert report.p99_ms > 300


def test_an_even_run_keeps_its_rate() -> None:
    report = load(Heard(), rate=2000, messages=1000)
    assert 0.45 < report.seconds < 5
    assert report.rate <= 2100


class RefusingSink(Sink):
    """Refuses every login."""

    def _answer(self, data: bytes, first: int, body: int, end: int, out: bytearray) -> None:
        super()._answer(data, first, body, end, out)
        if out[:1] == b"\x20":
            out[3] = 5


def test_a_refused_login_is_told_with_its_code() -> None:
    with pytest.raises(ConfigurationError, match="return code 5"):
        load(Heard(), sink=RefusingSink)


def test_a_broker_that_is_not_there_is_told() -> None:
    plan = Plan(broker=Broker("127.0.0.1", 9), connections=1, messages=1, patience_s=0.3)
    with pytest.raises(ConfigurationError, match="no answer"):
        asyncio.run(run_load(plan, asyncio.Event()))


def test_more_connections_than_passwords_are_refused() -> None:
    plan = Plan(broker=Broker("127.0.0.1", 9), connections=2, messages=1, passwords={"demo/lock-001": "x"})
    with pytest.raises(ConfigurationError, match="at most 1"):
        plan.devices()


def test_an_unknown_type_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(ConfigurationError, match=r"alarm\.manual"):
        load(Heard(), messages=1, kind="nonsense")


@pytest.mark.parametrize("url", ["http://x", "mqtt://", "mqtt://h:99999", "mqtt://user@h", "x"])
def test_a_broken_broker_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed"):
        read_broker(url)


@pytest.mark.parametrize("length", [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_packets_are_found_whatever_their_length_and_wherever_they_are_cut(length: int) -> None:
    packet = b"\x30" + varint(length) + b"x" * length
    two = packet + packet
    assert [end for _, _, end in split(two)] == [len(packet), len(two)]
    assert not list(split(packet[:-1]))


def test_a_chunk_of_bare_pubacks_is_read_at_once_and_any_other_is_not() -> None:
    assert puback_ids(b"\x40\x02\x00\x01\x40\x02\xff\xfe") == (1, 65534)
    assert puback_ids(b"\x40\x03\x00\x01\x00") is None
    assert puback_ids(b"\x40\x02\x00\x01\xd0\x00\x00\x00") is None
