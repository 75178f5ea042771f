import asyncio
from collections.abc import Mapping
from pathlib import Path

import mqtt5
import pytest
from honest_intake import HonestIntake, until
from listener_kit import COMMAND, CONFIG, LEVELS, OWN, QOS_0, QOS_1, HandClock, Peer, serving

from gateway.contract import Refused, StoreUnavailableError
from gateway.stores.sessions import MemorySessionStore, SqliteSessionStore

INBOX = "vaka/1/t/lock-1/+"


async def message(peer: Peer) -> mqtt5.PublishPacket:
    packet = await peer.receive()
    assert isinstance(packet, mqtt5.PublishPacket), packet
    return packet


async def lasting(served: object, level: int = 5, **more: object) -> Peer:
    """Connect with a session that outlives the connection, at either level."""
    more.setdefault("clean_start", False)
    if level == 5:
        more.setdefault("session_expiry_interval", 3600)
    return await served.device(level, **more)  # type: ignore[attr-defined]


@pytest.mark.parametrize("level", LEVELS)
def test_a_device_may_listen_to_its_own_inbox_only(level: int) -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device(level)
            refused = 0x87 if level == 5 else 0x80
            wanted = [
                COMMAND,
                INBOX,
                "vaka/1/t/sos-1/command",
                "#",
                "vaka/1/t/lock-1/#",
                "vaka/1/+/lock-1/command",
            ]
            assert await peer.subscribe(*wanted) == [1, 1, refused, refused, refused, refused]
            assert len([fault for fault in served.faults if "inbox" in fault]) == 4

    asyncio.run(story())


@pytest.mark.parametrize("level", LEVELS)
def test_a_command_reaches_the_device_once_although_two_filters_match(level: int) -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device(level)
            await peer.subscribe(COMMAND, INBOX)
            assert await served.listener.publish(COMMAND, b"open", retain=False, expiry_s=60) == 1
            sent = await message(peer)
            assert (sent.topic, sent.payload, int(sent.qos), sent.retain) == (COMMAND, b"open", 1, False)
            assert sent.message_expiry_interval == (60 if level == 5 else None)
            peer.send(mqtt5.PubAckPacket(sent.packet_id or 0))
            assert await peer.quiet()
            assert await served.listener.publish("vaka/1/t/sos-1/command", b"x", retain=False) == 0

    asyncio.run(story())


@pytest.mark.parametrize("level", LEVELS)
def test_a_queued_command_survives_a_restart_and_is_redelivered_until_acknowledged(
    level: int, tmp_path: Path
) -> None:
    path = tmp_path / "sessions.sqlite"

    async def first() -> None:
        store = SqliteSessionStore(path)
        async with serving(sessions=store) as served:
            peer = await lasting(served, level)
            assert not peer.connack.session_present
            assert await peer.subscribe(COMMAND) == [1]
            await peer.leave()
            assert await served.listener.publish(COMMAND, b"open", retain=False) == 1
        store.close()

    async def second() -> int:
        store = SqliteSessionStore(path)
        async with serving(sessions=store) as served:
            peer = await lasting(served, level)
            assert peer.connack.session_present
            sent = await message(peer)
            assert (sent.payload, sent.duplicate) == (b"open", False)
            peer.cut()
            again = await lasting(served, level)
            resent = await message(again)
            assert (resent.payload, resent.duplicate) == (b"open", True)
            assert resent.packet_id == sent.packet_id
        store.close()
        return sent.packet_id or 0

    async def third(packet_id: int) -> None:
        store = SqliteSessionStore(path)
        async with serving(sessions=store) as served:
            peer = await lasting(served, level)
            sent = await message(peer)
            assert (sent.payload, sent.duplicate, sent.packet_id) == (b"open", True, packet_id)
            peer.send(mqtt5.PubAckPacket(packet_id))
            assert await peer.alive()
            again = await lasting(served, level)
            assert again.connack.session_present
            assert await again.quiet()
        store.close()
        left = SqliteSessionStore(path)
        assert [key for key in left.load() if key.startswith("message")] == []
        left.close()

    asyncio.run(first())
    packet_id = asyncio.run(second())
    asyncio.run(third(packet_id))


def test_a_clean_start_forgets_the_session() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await lasting(served)
            await peer.subscribe(COMMAND)
            await peer.leave()
            await served.listener.publish(COMMAND, b"old", retain=False)
            fresh = await lasting(served, clean_start=True)
            assert not fresh.connack.session_present
            assert await fresh.quiet()
            assert await served.listener.publish(COMMAND, b"new", retain=False) == 0

    asyncio.run(story())


def test_a_session_ends_when_its_expiry_has_passed() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await lasting(served, session_expiry_interval=100)
            await peer.subscribe(COMMAND)
            await peer.leave()
            served.clock.pass_s(99)
            kept = await lasting(served, session_expiry_interval=100)
            assert kept.connack.session_present
            await kept.leave()
            served.clock.pass_s(100)
            ended = await lasting(served)
            assert not ended.connack.session_present

    asyncio.run(story())


def test_an_expired_command_is_not_delivered() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await lasting(served)
            await peer.subscribe(COMMAND)
            await peer.leave()
            await served.listener.publish(COMMAND, b"late", retain=False, expiry_s=30)
            await served.listener.publish(COMMAND, b"in time", retain=False, expiry_s=90)
            served.clock.pass_s(40)
            back = await lasting(served)
            sent = await message(back)
            assert (sent.payload, sent.message_expiry_interval) == (b"in time", 50)

    asyncio.run(story())


def test_a_full_queue_refuses_a_command_and_keeps_what_waits() -> None:
    async def story() -> None:
        async with serving(max_queued=2) as served:
            peer = await lasting(served)
            await peer.subscribe(INBOX)
            await peer.leave()
            await served.listener.publish(COMMAND, b"1", retain=False)
            await served.listener.publish(CONFIG, b"old", retain=True)
            await served.listener.publish(CONFIG, b"new", retain=True)
            with pytest.raises(Refused, match="2 messages already wait"):
                await served.listener.publish(COMMAND, b"3", retain=False)
            back = await lasting(served)
            assert [(await message(back)).payload for _ in range(2)] == [b"1", b"new"]

    asyncio.run(story())


@pytest.mark.parametrize("topic", ["", "a/#", "a/+/b", "a\0b"])
def test_what_is_no_topic_is_refused(topic: str) -> None:
    async def story() -> None:
        async with serving() as served:
            with pytest.raises(Refused):
                await served.listener.publish(topic, b"", retain=False)

    asyncio.run(story())


def test_the_receive_maximum_of_the_device_is_honoured() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device(receive_max=2)
            await peer.subscribe(COMMAND)
            for number in range(5):
                await served.listener.publish(COMMAND, b"%d" % number, retain=False)
            sent = [await message(peer), await message(peer)]
            assert await peer.quiet()
            peer.send(mqtt5.PubAckPacket(sent[0].packet_id or 0))
            assert (await message(peer)).payload == b"2"
            assert await peer.quiet()

    asyncio.run(story())


def test_a_message_larger_than_the_device_takes_is_not_sent() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device(max_packet_size=100)
            await peer.subscribe(COMMAND)
            await served.listener.publish(COMMAND, b"x" * 200, retain=False)
            await served.listener.publish(COMMAND, b"small", retain=False)
            assert (await message(peer)).payload == b"small"

    asyncio.run(story())


@pytest.mark.parametrize("level", LEVELS)
def test_retained_configuration_comes_with_the_subscription_even_after_a_restart(
    level: int, tmp_path: Path
) -> None:
    path = tmp_path / "sessions.sqlite"

    async def first() -> None:
        store = SqliteSessionStore(path)
        async with serving(sessions=store) as served:
            await served.listener.publish(CONFIG, b"revision 1", retain=True)
            await served.listener.publish(CONFIG, b"revision 2", retain=True)
            await served.listener.publish("vaka/1/t/lock-1/gone", b"x", retain=True)
            await served.listener.publish("vaka/1/t/lock-1/gone", b"", retain=True)
        store.close()

    async def second() -> None:
        store = SqliteSessionStore(path)
        async with serving(sessions=store) as served:
            peer = await served.device(level)
            await peer.subscribe(INBOX)
            sent = await message(peer)
            assert (sent.topic, sent.payload, sent.retain) == (CONFIG, b"revision 2", True)
            peer.send(mqtt5.PubAckPacket(sent.packet_id or 0))
            await served.listener.publish(CONFIG, b"revision 3", retain=True)
            live = await message(peer)
            assert (live.payload, live.retain) == (b"revision 3", level == 5)  # as published, if asked for
        store.close()

    asyncio.run(first())
    asyncio.run(second())


def test_retain_handling_is_honoured() -> None:
    async def story() -> None:
        async with serving() as served:
            await served.listener.publish(CONFIG, b"c", retain=True)
            peer = await served.device()
            never, once = mqtt5.RetainHandling(2), mqtt5.RetainHandling(1)
            await peer.subscribe(CONFIG, retain_handling=never)
            assert await peer.quiet()
            await peer.subscribe(CONFIG, retain_handling=once)
            assert await peer.quiet()
            await peer.subscribe(INBOX, retain_handling=once, max_qos=QOS_0)
            assert int((await message(peer)).qos) == 0

    asyncio.run(story())


def test_unsubscribe_ends_delivery() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device()
            await peer.subscribe(COMMAND)
            peer.send(mqtt5.UnsubscribePacket(2, [COMMAND, CONFIG]))
            answer = await peer.receive()
            assert isinstance(answer, mqtt5.UnsubAckPacket)
            assert [int(code) for code in answer.reason_codes] == [0, 17]
            assert await served.listener.publish(COMMAND, b"x", retain=False) == 0

    asyncio.run(story())


def will(**more: object) -> mqtt5.Will:
    return mqtt5.Will("vaka/1/t/lock-1/status", payload=b"lost", qos=QOS_1, retain=True, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("level", LEVELS)
def test_the_will_is_a_frame_when_the_connection_breaks_but_not_after_a_goodbye(level: int) -> None:
    async def story() -> None:
        async with serving() as served:
            polite = await served.device(level, will=will())
            await polite.leave()
            broken = await served.device(level, will=will())
            broken.publish(1, OWN, b"event")
            await broken.acknowledgements(1)
            broken.cut()
            await until(lambda: len(served.intake.durable) == 2)
            frame = served.intake.durable[1]
            assert (frame.channel, frame.payload, frame.source) == (
                "vaka/1/t/lock-1/status",
                b"lost",
                "lock-1",
            )
            assert not frame.retained

    asyncio.run(story())


def test_a_goodbye_with_will_publishes_it() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device(will=will())
            peer.send(
                mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.DISCONNECT_WITH_WILL_MESSAGE)
            )
            await until(lambda: served.intake.durable)
            assert served.intake.payloads == [b"lost"]

    asyncio.run(story())


def test_a_will_waits_its_delay_and_is_void_when_the_device_is_back() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await lasting(served, will=will(will_delay_interval=60))
            peer.cut()
            await until(lambda: served.listener.counters.connections == 0)
            served.clock.pass_s(59)
            back = await lasting(served, will=will(will_delay_interval=60))
            served.clock.pass_s(59)
            assert await back.alive()
            back.cut()
            await until(lambda: served.listener.counters.connections == 0)
            served.clock.pass_s(59)
            await asyncio.sleep(0.5)
            assert served.intake.durable == []
            served.clock.pass_s(2)
            await until(lambda: served.intake.durable)
            await asyncio.sleep(0.5)
            assert served.intake.payloads == [b"lost"]

    asyncio.run(story())


def test_a_pending_will_survives_a_restart_and_is_sent_once(tmp_path: Path) -> None:
    path = tmp_path / "sessions.sqlite"
    clock = HandClock()

    async def lose() -> None:
        store = SqliteSessionStore(path)
        async with serving(sessions=store, clock=clock) as served:
            peer = await lasting(served, will=will(will_delay_interval=60))
            peer.cut()
            await until(lambda: served.listener.counters.connections == 0)
            await lasting(served, client_id="second", will=will())
        store.close()

    async def find(after_s: float, payloads: list[bytes]) -> None:
        store = SqliteSessionStore(path)
        async with serving(sessions=store, clock=clock) as served:
            clock.pass_s(after_s)
            await asyncio.sleep(0.5)
            assert served.intake.payloads == payloads
        store.close()

    asyncio.run(lose())
    asyncio.run(find(59, []))
    asyncio.run(find(2, [b"lost"]))
    asyncio.run(find(130, [b"lost"]))  # of the device that was connected and did not come back
    asyncio.run(find(1000, []))


def test_a_will_waits_for_room_in_the_intake() -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False, limit=1)) as served:
            peer = await served.device(will=will())
            peer.publish(1)
            await until(lambda: served.intake.waiting)
            peer.cut()
            await until(lambda: served.intake.refusals)
            served.intake.commit()
            await until(lambda: served.intake.waiting)
            served.intake.commit()
            assert served.intake.payloads == [b"{}", b"lost"]

    asyncio.run(story())


def test_a_will_outside_the_branch_is_refused() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.peer()
            await peer.connect("lock-1", will=mqtt5.Will("vaka/1/t/sos-1/status", payload=b"evil"))
            assert int(peer.connack.reason_code) == 135
            peer.cut()
            await until(lambda: served.faults)
            assert "will outside" in served.faults[0]
            assert served.intake.durable[0].source == "lock-1"
            assert b"evil" not in served.intake.payloads

    asyncio.run(story())


def test_a_silent_device_leaves_its_will() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device(4, keep_alive=1, will=will())
            assert await peer.receive() is None
            await until(lambda: served.intake.durable)
            assert served.intake.payloads == [b"lost"]

    asyncio.run(story())


def test_stopping_says_goodbye() -> None:
    async def story() -> None:
        async with serving() as served:
            new, old = await served.device(5, will=will()), await served.device(4, "sos-1")
            await served.listener.stop()
            last = await new.receive()
            assert isinstance(last, mqtt5.DisconnectPacket)
            assert int(last.reason_code) == 0x8B
            assert await new.receive() is None
            assert await old.receive() is None
            assert served.intake.durable == []

    asyncio.run(story())


class SulkingStore(MemorySessionStore):
    """Refuses to save while it sulks."""

    sulks = False

    def save(self, records: Mapping[str, bytes | None]) -> None:
        if self.sulks:
            raise StoreUnavailableError("the disk is full")
        super().save(records)


def test_nothing_is_promised_while_the_disk_refuses_and_nothing_is_forgotten() -> None:
    async def story() -> None:
        store = SulkingStore()
        async with serving(sessions=store) as served:
            peer = await lasting(served)
            assert await peer.subscribe(CONFIG) == [1]
            store.sulks = True
            assert await peer.subscribe(COMMAND, number=2) == [0x80]
            with pytest.raises(StoreUnavailableError):
                await served.listener.publish(CONFIG, b"revision 1", retain=True)
            store.sulks = False
            await until(lambda: any(b"revision 1" in value for value in store.load().values()))
            assert (await message(peer)).payload == b"revision 1"
            assert await peer.subscribe(COMMAND, number=3) == [1]

    asyncio.run(story())


def test_one_device_has_a_bounded_number_of_sessions() -> None:
    async def story() -> None:
        async with serving() as served:
            for number in range(8):
                peer = await lasting(served, client_id=f"c{number}")
                await peer.leave()
            await lasting(served, client_id="c8")
            kept = await lasting(served, client_id="c1")
            assert kept.connack.session_present
            forgotten = await lasting(served, client_id="c0")
            assert not forgotten.connack.session_present

    asyncio.run(story())
