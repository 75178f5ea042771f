"""The probe between a device and the real counterpart, in virtual time."""

import asyncio
from pathlib import Path

import mqtt5
import pytest
from virtual_bench import BASE, PASSWORD, PROBE_PORT, START, Device, Rig, Work, declared, play, rig

from gateway.conformance.behind import Behind
from gateway.conformance.bench import Bench
from gateway.conformance.probe import Address, Probe
from gateway.conformance.record import Direction, Fate, Record
from simulators.protocol.broker import Broker
from simulators.protocol.loop import VirtualClock
from simulators.protocol.network import NetworkLoop


def through(folder: Path, work: Work) -> Rig:
    async def run() -> Rig:
        async with rig(folder) as one:
            one.device.on()
            assert await one.bench.link()
            await work(one)
            return one

    return play(run)


def test_the_probe_sees_every_packet_in_both_directions_with_its_bytes(tmp_path: Path) -> None:
    async def work(one: Rig) -> None:
        mark = one.bench.mark()
        await one.bench.trigger("lock.unlocked")
        event = await one.bench.wait(5, mark, word="lock.unlocked")
        assert event is not None
        assert event.topic == f"{BASE}/event"
        assert event.raw[0] >> 4 == 3
        assert event.payload in event.raw
        answer = await one.bench.wait(
            5, mark, kind="PUBACK", test=lambda seen: seen.packet_id == event.packet_id
        )
        assert answer is not None
        assert answer.direction is Direction.DOWN

    one = through(tmp_path, work)
    kinds = [seen.kind for seen in one.record]
    assert kinds[:3] == ["OPEN", "CONNECT", "CONNACK"]
    assert [seen.number for seen in one.record] == list(range(len(kinds)))


def test_a_password_is_in_no_evidence(tmp_path: Path) -> None:
    async def work(one: Rig) -> None:
        await one.bench.sleep(1)

    one = through(tmp_path, work)
    assert not [seen for seen in one.record if PASSWORD.encode() in seen.raw]
    connect = next(seen for seen in one.record if seen.kind == "CONNECT")
    assert b"*" * len(PASSWORD) in connect.raw


def test_a_swallowed_acknowledgement_makes_the_device_send_again_with_dup_after_a_cut(tmp_path: Path) -> None:
    async def work(one: Rig) -> None:
        mark = one.bench.mark()
        hole = one.bench.swallow("PUBACK")
        await one.bench.trigger("lock.unlocked")
        first = await one.bench.wait(5, mark, word="lock.unlocked")
        lost = await one.bench.wait(5, mark, kind="PUBACK", fate=Fate.SWALLOWED)
        assert first is not None
        assert lost is not None
        hole.end()
        one.bench.cut()
        again = await one.bench.wait(
            60, first.number + 1, word="lock.unlocked", test=lambda seen: seen.duplicate
        )
        assert again is not None
        assert again.body == first.body
        assert again.link == first.link + 1

    through(tmp_path, work)


def test_an_outage_refuses_connections_and_ends(tmp_path: Path) -> None:
    async def work(one: Rig) -> None:
        mark = one.bench.mark()
        await one.bench.outage(30)
        assert await one.bench.link()
        refused = one.bench.seen(mark, kind="REFUSED")
        assert refused
        assert all(seen.at_s <= 31 for seen in refused)

    through(tmp_path, work)


@pytest.mark.parametrize(("forgetting", "present"), [(False, True), (True, False)])
def test_our_side_restarts_with_its_sessions_or_without(
    tmp_path: Path, *, forgetting: bool, present: bool
) -> None:
    async def work(one: Rig) -> None:
        mark = one.bench.mark()
        await one.bench.restart(5, forgetting=forgetting)
        assert await one.bench.relink(mark) is not None
        (answer,) = one.bench.seen(mark, kind="CONNACK")
        assert isinstance(answer.packet, mqtt5.ConnAckPacket)
        assert answer.packet.session_present is present

    through(tmp_path, work)


def test_commands_and_configuration_reach_the_device_and_its_answers_us(tmp_path: Path) -> None:
    async def work(one: Rig) -> None:
        mark = one.bench.mark()
        await one.bench.command(id="c-1", do="lock")
        result = await one.bench.wait(5, mark, branch="result")
        assert result is not None
        assert result.body == {"id": "c-1", "outcome": "done"}
        await one.bench.configure(revision=7)
        applied = await one.bench.wait(
            5, mark, branch="status", test=lambda seen: seen.body.get("config_revision") == 7
        )
        assert applied is not None

    through(tmp_path, work)


def test_a_delay_holds_packets_back_in_their_order(tmp_path: Path) -> None:
    async def work(one: Rig) -> None:
        one.bench.faults.delay(Direction.DOWN, 3.0)
        for key in ("a", "b"):
            await one.bench.command(id=key, do="lock")
        await one.bench.sleep(2)
        assert not one.device.commands
        await one.bench.sleep(2)
        assert [command["id"] for command in one.device.commands] == ["a", "b"]

    through(tmp_path, work)


def test_on_a_link_where_everything_vanishes_the_device_is_told_nothing(tmp_path: Path) -> None:
    async def work(one: Rig) -> None:
        mark = one.bench.mark()
        one.bench.faults.vanish()
        await one.bench.command(id="x", do="lock")
        await one.bench.sleep(100)
        assert not one.device.commands
        assert not one.bench.seen(mark, kind="CLOSED", direction=Direction.UP)
        one.bench.faults.calm()
        assert await one.bench.relink(mark) is not None

    through(tmp_path, work)


def test_behind_a_foreign_broker_the_probe_adds_what_our_side_would_say() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, NetworkLoop)
        broker = Broker(loop, 1883)
        broker.start()
        wanted, record = declared(), Record()
        probe = Probe(
            record, wanted.connection, Address("127.0.0.1", PROBE_PORT), lambda: Address("127.0.0.1", 1883)
        )
        await probe.start()
        side = Behind(wanted.connection, probe)
        device = Device(loop)
        bench = Bench(wanted, record, probe, side, VirtualClock(loop, START), device)
        device.on()
        assert await bench.link()
        await bench.configure(revision=3)
        await bench.command(id="c-1", do="lock")
        assert await bench.wait(5, 0, branch="result") is not None
        assert await bench.wait(5, 0, branch="status", test=lambda seen: "config_revision" in seen.body)
        mark = bench.mark()
        bench.faults.refuse(refusing=True)
        bench.cut()
        await bench.sleep(5)
        await side.publish("command", b'{"id":"c-2","do":"lock"}', retain=False)
        bench.faults.refuse(refusing=False)
        assert await bench.wait(60, mark, branch="result", test=lambda seen: seen.body["id"] == "c-2")
        mark = bench.mark()
        await bench.restart(1, forgetting=True)
        assert await bench.relink(mark)
        (answer,) = bench.seen(mark, kind="CONNACK")
        assert answer.remark == "session present taken away by the probe"
        assert answer.raw[2] == 0
        again = await bench.wait(60, mark, branch="config", direction=Direction.DOWN)
        assert again is not None
        assert again.retain
        device.client.down()
        await probe.stop()
        broker.stop()

    play(run)
