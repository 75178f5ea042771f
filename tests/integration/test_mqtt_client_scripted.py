import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import mqtt5
import pytest
from honest_intake import HonestIntake, until
from scripted_broker import ScriptedBroker, Visit, politely, scripted

from gateway.config import BrokerSettings
from gateway.model.frame import Transport
from gateway.service.clock import SystemClock
from gateway.transports.mqtt_client import BrokerClient, client, link
from gateway.transports.mqtt_codec import Packet

BOTH_LEVELS = pytest.mark.parametrize("protocol", [4, 5])


@contextlib.asynccontextmanager
async def running(
    broker: ScriptedBroker, intake: HonestIntake, *topics: str, **changes: object
) -> AsyncIterator[BrokerClient]:
    basis: dict[str, object] = {
        "name": "main",
        "url": broker.url,
        "client_id": "gw",
        "reconnect_max_s": 0.05,
    }
    one = BrokerClient(
        BrokerSettings.model_validate(basis | changes), topics or ("home/#",), intake, SystemClock()
    )
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def play(story: Callable[[], Awaitable[None]], within_s: float = 90) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(within_s):
            await story()

    asyncio.run(bounded())


def message(number: int, *, qos: int = 1) -> mqtt5.PublishPacket:
    level = mqtt5.QoS.AT_LEAST_ONCE if qos == 1 else mqtt5.QoS.EXACTLY_ONCE
    return mqtt5.PublishPacket("home/1", b"%d" % number, qos=level, packet_id=number)


@BOTH_LEVELS
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"\x32\x08\x00\x02\xff\xfe\x00\x07\x00x", "not UTF-8"),
        (b"\x36\x07\x00\x01a\x00\x07\x00x", "QoS 3"),
        (b"\x00\x00", "reserved"),
        (b"\x30\xff\xff\xff\xff\x7f", "remaining length"),
        (b"\x30\x80\x80\x80\x7f", "the limit is"),
    ],
)
def test_an_invalid_packet_is_kept_as_evidence_and_the_connection_starts_over(
    protocol: int, bad: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        intake = HonestIntake()
        async with scripted() as broker, running(broker, intake, protocol=protocol) as one:
            await until(lambda: one.standing.subscribed)
            broker.visits[0].say(message(7))
            broker.visits[0].raw(bad + b"x" * 3000)
            await until(lambda: one.reconnects == 1)
            await until(lambda: len(intake.durable) == 2)
            good, fault = intake.durable
            assert good.payload == b"7"
            assert (fault.transport, fault.channel, fault.ingress) == (Transport.MQTT, "", "broker:main")
            assert reason in fault.fault
            assert fault.payload.startswith(bad[:2])
            assert len(fault.payload) <= 1024
            assert one.standing.invalid == 1
        assert "sent an invalid packet" in caplog.text

    play(story)


@BOTH_LEVELS
def test_a_refused_subscription_is_named_shown_and_asked_again(
    protocol: int, caplog: pytest.LogCaptureFixture
) -> None:
    rights = {"home/#"}

    def by_rights(visit: Visit, packet: Packet) -> None:
        if not isinstance(packet, mqtt5.SubscribePacket):
            politely(visit, packet)
            return
        yes, no = mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE, mqtt5.SubAckReasonCode.NOT_AUTHORIZED
        codes = [yes if wanted.pattern in rights else no for wanted in packet.topic_filters]
        visit.say(mqtt5.SubAckPacket(packet.packet_id, codes))

    async def story() -> None:
        async with (
            scripted(by_rights) as broker,
            running(broker, HonestIntake(), "home/#", "closed/#", protocol=protocol) as one,
        ):
            one._subscriptions._again_s = 0.1
            await until(lambda: one.standing.refused == ("closed/#",))
            assert not one.standing.subscribed
            assert "refuses the subscription to 'closed/#'" in caplog.text
            rights.add("closed/#")
            await until(lambda: one.standing.subscribed)
            assert one.standing.refused == ()
            asked = broker.visits[0].of(mqtt5.SubscribePacket)
            assert [wanted.pattern for wanted in asked[-1].topic_filters] == ["closed/#"]

    play(story)


def test_a_subscription_granted_with_qos_0_only_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    def lowly(visit: Visit, packet: Packet) -> None:
        if isinstance(packet, mqtt5.SubscribePacket):
            code = mqtt5.SubAckReasonCode.GRANTED_QOS_AT_MOST_ONCE
            visit.say(mqtt5.SubAckPacket(packet.packet_id, [code]))
        else:
            politely(visit, packet)

    async def story() -> None:
        async with scripted(lowly) as broker, running(broker, HonestIntake()) as one:
            await until(lambda: one.standing.subscribed)

    play(story)
    assert "grants only QoS 0 for 'home/#'" in caplog.text


def test_a_taken_over_session_is_said_and_waited_out(caplog: pytest.LogCaptureFixture) -> None:
    def rival(visit: Visit, packet: Packet) -> None:
        politely(visit, packet)
        if isinstance(packet, mqtt5.SubscribePacket):
            code = mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER
            visit.say(mqtt5.DisconnectPacket(reason_code=code))

    async def story() -> None:
        async with scripted(rival) as broker, running(broker, HonestIntake(), reconnect_max_s=1) as one:
            await until(lambda: one.reconnects == 1)
            began = asyncio.get_running_loop().time()
            await until(lambda: one.reconnects == 2)
            assert asyncio.get_running_loop().time() - began >= 0.45
            assert "give every gateway a client_id of its own" in one.standing.trouble

    play(story)
    assert "another client with the id 'gw' has taken over the session" in caplog.text


@BOTH_LEVELS
def test_a_commit_is_acknowledged_with_one_write(protocol: int) -> None:
    async def story() -> None:
        intake = HonestIntake(by_itself=False)
        async with scripted() as broker, running(broker, intake, protocol=protocol) as one:
            await until(lambda: one.standing.subscribed)
            visit = broker.visits[0]
            visit.say(*[message(number) for number in range(1, 51)])
            await until(lambda: len(intake.waiting) == 50)
            assert one._link
            written: list[bytes] = []
            write, one._link._inflow._write = one._link._inflow._write, written.append
            intake.commit()
            assert [len(data) for data in written] == [200]
            write(written[0])
            await until(lambda: len(visit.of(mqtt5.PubAckPacket)) == 50)
            assert [packet.packet_id for packet in visit.of(mqtt5.PubAckPacket)] == list(range(1, 51))

    play(story)


@BOTH_LEVELS
def test_qos_2_is_answered_after_the_disk_and_completed(protocol: int) -> None:
    async def story() -> None:
        intake = HonestIntake(by_itself=False)
        async with scripted() as broker, running(broker, intake, protocol=protocol) as one:
            await until(lambda: one.standing.subscribed)
            visit = broker.visits[0]
            visit.say(message(9, qos=2))
            await until(lambda: intake.waiting)
            assert not visit.of(mqtt5.PubRecPacket)
            intake.commit()
            await until(lambda: visit.of(mqtt5.PubRecPacket))
            visit.say(mqtt5.PubRelPacket(9))
            await until(lambda: visit.of(mqtt5.PubCompPacket))
            assert visit.of(mqtt5.PubCompPacket)[0].packet_id == 9

    play(story)


def test_the_session_is_asked_for_as_configured_and_subscribed_once_while_it_lasts() -> None:
    def remembering(visit: Visit, packet: Packet) -> None:
        if isinstance(packet, mqtt5.ConnectPacket):
            visit.say(mqtt5.ConnAckPacket(session_present=True))
        else:
            politely(visit, packet)

    async def story() -> None:
        changes = {"session_expiry_s": 1234, "receive_maximum": 77, "keep_alive_s": 44}
        async with scripted(remembering) as broker, running(broker, HonestIntake(), **changes) as one:
            await until(lambda: one.standing.subscribed)
            connect = broker.visits[0].of(mqtt5.ConnectPacket)[0]
            assert not connect.clean_start
            assert connect.session_expiry_interval == 1234
            assert (connect.receive_max, connect.keep_alive) == (77, 44)
            assert broker.visits[0].of(mqtt5.SubscribePacket), "a new process asks even in an old session"
            broker.visits[0].hang_up()
            await until(lambda: one.reconnects == 1 and one.standing.subscribed)
            await until(lambda: broker.visits[1].of(mqtt5.PublishPacket))
            assert not broker.visits[1].of(mqtt5.SubscribePacket)

    play(story)


def test_small_packets_leave_at_once() -> None:
    async def story() -> None:
        async with scripted() as broker, running(broker, HonestIntake()) as one:
            await until(lambda: one.connected)
            assert one._link
            raw = one._link._transport.get_extra_info("socket")
            assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    play(story)


def test_a_listener_that_never_answers_is_left_after_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "GREETING_S", 0.1)

    async def story() -> None:
        async with scripted(lambda _visit, _packet: None) as broker, running(broker, HonestIntake()) as one:
            await until(lambda: len(broker.visits) >= 2)
            assert "no answer to CONNECT" in one.standing.trouble
            assert not one.connected

    play(story)


def test_lost_since_ends_only_when_a_connection_has_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SETTLED_S", 0.3)

    async def story() -> None:
        async with scripted() as broker, running(broker, HonestIntake()) as one:
            first = one.lost_since
            assert first is not None
            await until(lambda: one.connected)
            broker.visits[0].hang_up()
            await until(lambda: one.reconnects == 1)
            assert one.lost_since == first, "a connection that comes and goes stays lost"
            await until(lambda: one.lost_since is None)
            broker.visits[1].hang_up()
            await until(lambda: one.lost_since is not None)

    play(story)


def test_no_password_stands_in_any_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def refusing(visit: Visit, packet: Packet) -> None:
        if isinstance(packet, mqtt5.ConnectPacket):
            code = mqtt5.ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD
            visit.say(mqtt5.ConnAckPacket(reason_code=code))

    async def story() -> None:
        secret = {"username": "gateway", "password": "hush-hush"}
        async with scripted(refusing) as broker, running(broker, HonestIntake(), **secret) as one:
            await until(lambda: len(broker.visits) >= 2)
            assert "user name or password is wrong" in one.standing.trouble

    play(story)
    assert "hush-hush" not in caplog.text
