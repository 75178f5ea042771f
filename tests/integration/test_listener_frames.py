import asyncio

import mqtt5
import pytest
from honest_intake import HonestIntake, until
from listener_kit import LEVELS, OTHER, OWN, QOS_2, serving

from gateway.model.frame import MAX_PAYLOAD_BYTES, Transport


@pytest.mark.parametrize("level", LEVELS)
def test_a_publish_becomes_a_frame_of_its_device(level: int) -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device(level)
            peer.publish(7, payload=b"hello", retain=True, duplicate=True)
            assert await peer.acknowledgements(1) == [(7, 0)]
            (frame,) = served.intake.durable
            assert (frame.transport, frame.channel, frame.payload) == (Transport.MQTT, OWN, b"hello")
            assert (frame.ingress, frame.source, frame.fault) == ("listener", "lock-1", "")
            assert frame.received_at == served.clock.now()
            assert frame.duplicate
            assert not frame.retained
            assert served.listener.counters.frames == 1

    asyncio.run(story())


@pytest.mark.parametrize("level", LEVELS)
def test_puback_comes_only_after_the_disk(level: int) -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False)) as served:
            peer = await served.device(level)
            for number in (1, 2, 3):
                peer.publish(number)
            await until(lambda: len(served.intake.waiting) == 3)
            assert await peer.quiet()
            served.intake.commit()
            assert await peer.acknowledgements(3) == [(1, 0), (2, 0), (3, 0)]

    asyncio.run(story())


@pytest.mark.parametrize("level", LEVELS)
def test_qos_0_is_a_frame_without_an_answer(level: int) -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device(level)
            peer.publish(None, payload=b"position")
            await until(lambda: served.intake.durable)
            assert served.intake.payloads == [b"position"]
            assert await peer.quiet()

    asyncio.run(story())


def test_a_publish_to_another_branch_is_refused_and_traced() -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False)) as served:
            new, old = await served.device(5), await served.device(4, "sos-1")
            new.publish(1, OTHER, b"evil")
            old.publish(2, OWN, b"evil")
            await until(lambda: len(served.intake.waiting) == 2)
            assert await new.quiet()
            assert await old.quiet()
            served.intake.commit()
            assert await new.acknowledgements(1) == [(1, 135)]
            assert await old.acknowledgements(1) == [(2, 0)]
            told = {(f.channel, f.source, f.payload) for f in served.intake.durable}
            assert told == {(OTHER, "lock-1", b"evil"), (OWN, "sos-1", b"evil")}
            assert all("outside the device's branch" in fault for fault in served.faults)
            assert len(served.faults) == 2

    asyncio.run(story())


@pytest.mark.parametrize(
    "topic", ["vaka/1/t", "vaka/1/t/lock-12/event", "$SYS/x", "vaka/1/T/lock-1/event", "other"]
)
def test_only_the_own_branch_is_open(topic: str) -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device()
            peer.publish(1, topic)
            assert await peer.acknowledgements(1) == [(1, 135)]

    asyncio.run(story())


def test_a_bridge_speaks_for_its_children() -> None:
    async def story() -> None:
        async with serving() as served:
            bridge = await served.device(4, "bridge-1")
            bridge.publish(1, "zigbee2mqtt/front door/lock")
            await bridge.acknowledgements(1)
            assert served.faults == []
            assert served.intake.durable[0].source == "bridge-1"

    asyncio.run(story())


@pytest.mark.parametrize("level", LEVELS)
def test_qos_2_closes_the_connection_and_is_traced(level: int) -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device(level)
            peer.publish(1, qos=QOS_2)
            last = await peer.receive()
            if level == 5:
                assert isinstance(last, mqtt5.DisconnectPacket)
                assert int(last.reason_code) == 0x9B
                last = await peer.receive()
            assert last is None
            await until(lambda: served.faults)
            assert "QoS 2" in served.faults[0]

    asyncio.run(story())


def test_connack_announces_the_limits() -> None:
    async def story() -> None:
        async with serving(receive_maximum=17, max_keep_alive_s=60, session_expiry_s=3600) as served:
            peer = await served.device(keep_alive=0, session_expiry_interval=10**6)
            said = peer.connack
            assert (said.receive_max, said.topic_alias_max, said.server_keep_alive) == (17, 0, 60)
            assert int(said.max_qos) == 1
            assert said.session_expiry_interval == 3600
            assert said.max_packet_size is not None
            assert said.max_packet_size > MAX_PAYLOAD_BYTES
            assert not said.shared_subscription_available
            assert not said.subscription_id_available

    asyncio.run(story())


def test_mqtt_5_may_not_pass_the_receive_maximum() -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False), receive_maximum=3) as served:
            peer = await served.device()
            for number in (1, 2, 3, 4):
                peer.publish(number)
            last = await peer.receive()
            assert isinstance(last, mqtt5.DisconnectPacket)
            assert int(last.reason_code) == 0x93
            served.intake.commit()
            assert len([frame for frame in served.intake.durable if not frame.fault]) == 3
            assert "unacknowledged" in served.faults[0]

    asyncio.run(story())


def test_mqtt_311_waits_at_the_receive_maximum_and_nobody_else_does() -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False), receive_maximum=3) as served:
            busy, sos = await served.device(4), await served.device(4, "sos-1")
            for number in range(1, 11):
                busy.publish(number, payload=b"%d" % number)
            await until(lambda: len(served.intake.waiting) == 3)
            sos.publish(1, OTHER, b"SOS")
            await until(lambda: len(served.intake.waiting) == 4)
            assert served.intake.waiting[-1][0].payload == b"SOS"
            received: list[tuple[int, int]] = []
            while len(received) < 10:
                await until(lambda: served.intake.waiting)
                count = sum(frame.source == "lock-1" for frame, _, _ in served.intake.waiting)
                assert count <= 3
                served.intake.commit()
                received += await busy.acknowledgements(count)
            assert received == [(number, 0) for number in range(1, 11)]
            own = [frame.payload for frame in served.intake.durable if frame.source == "lock-1"]
            assert own == [b"%d" % number for number in range(1, 11)]

    asyncio.run(story())


@pytest.mark.parametrize("level", LEVELS)
def test_a_full_intake_holds_qos_1_and_drops_qos_0(level: int) -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False, limit=2)) as served:
            peer = await served.device(level)
            peer.publish(None, payload=b"a")
            peer.publish(None, payload=b"b")
            peer.publish(None, payload=b"dropped")
            for number in range(1, 6):
                peer.publish(number, payload=b"%d" % number)
            await until(lambda: served.intake.refusals > 3)
            assert served.listener.counters.qos0_dropped == 1
            received: list[tuple[int, int]] = []
            while len(received) < 5:
                await until(lambda: served.intake.waiting)
                offered = sum(sender is not None for _, sender, _ in served.intake.waiting)
                served.intake.commit()
                received += await peer.acknowledgements(offered)
            assert received == [(number, 0) for number in range(1, 6)]
            assert served.intake.payloads == [b"a", b"b", b"1", b"2", b"3", b"4", b"5"]
            assert await peer.alive()

    asyncio.run(story())


@pytest.mark.parametrize("level", LEVELS)
def test_64_kib_pass_and_one_byte_more_does_not(level: int) -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device(level)
            peer.publish(1, payload=b"x" * MAX_PAYLOAD_BYTES)
            assert await peer.acknowledgements(1) == [(1, 0)]
            peer.publish(2, payload=b"y" * (MAX_PAYLOAD_BYTES + 1))
            last = await peer.receive()
            if level == 5:
                assert isinstance(last, mqtt5.DisconnectPacket)
                assert int(last.reason_code) == 0x95
                last = await peer.receive()
            assert last is None
            frame = served.intake.durable[-1]
            assert "65537 bytes" in frame.fault
            assert frame.payload == b"y" * 1024
            assert (frame.channel, frame.source) == (OWN, "lock-1")

    asyncio.run(story())


def test_a_packet_far_over_the_limit_is_not_even_buffered() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device()
            peer.raw(b"\x32\xff\xff\xff\x7f" + b"z" * 3000)
            last = await peer.receive()
            assert isinstance(last, mqtt5.DisconnectPacket)
            assert int(last.reason_code) == 0x95
            await until(lambda: served.faults)
            assert "268435460 bytes" in served.faults[0]
            assert len(served.intake.durable[0].payload) <= 1024

    asyncio.run(story())


def test_topic_aliases_are_refused() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device()
            peer.publish(1, topic_alias=1)
            last = await peer.receive()
            assert isinstance(last, mqtt5.DisconnectPacket)
            assert int(last.reason_code) == 0x94

    asyncio.run(story())


def test_frames_read_before_a_cut_are_kept_and_the_cut_packet_is_traced() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device(4)
            peer.publish(1, payload=b"whole")
            await peer.acknowledgements(1)
            peer.raw(b"\x32\x20\x00\x05half")
            await peer.streams[1].drain()
            peer.streams[1].close()
            await until(lambda: served.faults)
            assert "inside a packet" in served.faults[0]
            assert served.intake.durable[-1].payload == b"\x32\x20\x00\x05half"
            assert served.intake.durable[-1].source == "lock-1"

    asyncio.run(story())


def test_devices_that_wait_for_room_are_all_served_in_the_end() -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False, limit=3)) as served:
            peers = [await served.device(4, client_id=f"c{number}") for number in range(6)]
            for number, peer in enumerate(peers):
                for count in range(1, 5):
                    peer.publish(count, payload=b"%d.%d" % (number, count))
            found = 0
            while found < 24:
                await until(lambda: served.intake.waiting)
                found += len(served.intake.waiting)
                served.intake.commit()
            for number, peer in enumerate(peers):
                assert await peer.acknowledgements(4) == [(count, 0) for count in range(1, 5)]
                own = [payload for payload in served.intake.payloads if payload.startswith(b"%d." % number)]
                assert own == [b"%d.%d" % (number, count) for count in range(1, 5)]

    asyncio.run(story())


def test_what_was_read_before_a_cut_is_kept_even_beyond_the_receive_maximum() -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False), receive_maximum=3) as served:
            peer = await served.device(4)
            for number in range(1, 11):
                peer.publish(number, payload=b"%d" % number)
            await until(lambda: len(served.intake.waiting) == 3)
            await peer.quiet()
            peer.cut()
            while len(served.intake.durable) < 10:
                await until(lambda: served.intake.waiting)
                served.intake.commit()
            assert served.intake.payloads == [b"%d" % number for number in range(1, 11)]
            assert served.faults == []

    asyncio.run(story())
