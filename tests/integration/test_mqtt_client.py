import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from honest_intake import HonestIntake, until
from mosquitto import Broker, Peer, mosquitto, peer

from gateway.config import BrokerSettings
from gateway.model.frame import MAX_PAYLOAD_BYTES, Transport
from gateway.service.clock import SystemClock
from gateway.transports.mqtt_client import BrokerClient

pytestmark = pytest.mark.mosquitto

BOTH_LEVELS = pytest.mark.parametrize("protocol", [4, 5])


def settings(broker: Broker, **changes: object) -> BrokerSettings:
    basis: dict[str, object] = {"name": "main", "url": broker.url, "client_id": "gw", "reconnect_max_s": 0.2}
    return BrokerSettings.model_validate(basis | changes)


@contextlib.asynccontextmanager
async def running(
    chosen: BrokerSettings, intake: HonestIntake, *topics: str
) -> AsyncIterator[tuple[BrokerClient, "asyncio.Task[None]"]]:
    """Run the client, connected and subscribed."""
    client = BrokerClient(chosen, topics or ("home/#",), intake, SystemClock())
    task = asyncio.create_task(client.run())
    try:
        yield client, task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def subscribed(client: BrokerClient) -> None:
    await until(lambda: client.standing.subscribed)


def cut(client: BrokerClient) -> None:
    """Break the connection as a network does: no DISCONNECT is said."""
    assert client._link
    client._link._transport.abort()


def play(story: Callable[[], Awaitable[None]], within_s: float = 120) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(within_s):
            await story()

    asyncio.run(bounded())


async def aside(peer: Peer, topic: str, *payloads: bytes, **how: object) -> None:
    """Publish from another thread, so that the loop can answer meanwhile."""
    await asyncio.to_thread(lambda: peer.publish(topic, *payloads, **how))  # type: ignore[arg-type]


@BOTH_LEVELS
def test_messages_become_frames_in_their_order(tmp_path: Path, protocol: int) -> None:
    async def story(broker: Broker, device: Peer) -> None:
        intake = HonestIntake()
        async with running(settings(broker, protocol=protocol), intake) as (client, _):
            await subscribed(client)
            wanted = [b"%d" % number for number in range(500)]
            await aside(device, "home/1", *wanted)
            await until(lambda: len(intake.durable) == 500)
            assert intake.payloads == wanted
            frame = intake.durable[0]
            assert (frame.transport, frame.channel, frame.ingress) == (
                Transport.MQTT,
                "home/1",
                "broker:main",
            )
            assert (frame.source, frame.retained, frame.duplicate, frame.fault) == ("", False, False, "")
            await until(lambda: client.acknowledged == 500)
            assert client.received == 500

    with mosquitto(tmp_path) as broker, peer(broker) as device:
        play(lambda: story(broker, device))


@BOTH_LEVELS
def test_what_was_not_on_disk_when_the_connection_broke_comes_again(tmp_path: Path, protocol: int) -> None:
    async def story(broker: Broker, device: Peer) -> None:
        intake = HonestIntake(by_itself=False)
        async with running(settings(broker, protocol=protocol), intake) as (client, _):
            await subscribed(client)
            await aside(device, "home/1", b"kept")
            await until(lambda: intake.waiting)
            intake.commit()
            await until(lambda: client.acknowledged == 1)
            await aside(device, "home/1", b"lost in memory", b"and this")
            await until(lambda: len(intake.waiting) == 2)
            cut(client)
            late = intake.waiting
            intake.waiting = []
            await until(lambda: len(intake.waiting) == 2)
            assert [frame.payload for frame, _, _ in intake.waiting] == [b"lost in memory", b"and this"]
            assert all(frame.duplicate for frame, _, _ in intake.waiting)
            for _, sender, token in late:  # the old connection's commit must not acknowledge anything now
                assert sender
                sender.durable([token])
            assert client.acknowledged == 1
            intake.commit()
            await until(lambda: client.acknowledged == 3)
            assert client.reconnects == 1

    with mosquitto(tmp_path) as broker, peer(broker) as device:
        play(lambda: story(broker, device))


@BOTH_LEVELS
def test_no_more_than_receive_maximum_frames_wait_for_the_disk(tmp_path: Path, protocol: int) -> None:
    async def story(broker: Broker, device: Peer) -> None:
        intake = HonestIntake(by_itself=False)
        chosen = settings(broker, protocol=protocol, receive_maximum=7)
        async with running(chosen, intake) as (client, _):
            await subscribed(client)
            wanted = [b"%d" % number for number in range(100)]
            await aside(device, "home/1", *wanted)
            while len(intake.durable) < 100:
                await until(lambda: len(intake.waiting) == min(7, 100 - len(intake.durable)))
                intake.commit()
            assert intake.payloads == wanted
            assert intake.most_waiting == 7

    config = ["max_inflight_messages 0", "max_queued_messages 1000"]
    with mosquitto(tmp_path, config_lines=config) as broker, peer(broker) as device:
        play(lambda: story(broker, device))


@BOTH_LEVELS
def test_a_flood_of_qos_0_is_held_at_the_same_bound(tmp_path: Path, protocol: int) -> None:
    async def story(broker: Broker, device: Peer) -> None:
        intake = HonestIntake(by_itself=False)
        chosen = settings(broker, protocol=protocol, receive_maximum=7)
        async with running(chosen, intake) as (client, _):
            await subscribed(client)
            wanted = [b"%d" % number for number in range(100)]
            await aside(device, "home/1", *wanted, qos=0)
            while len(intake.durable) < 100:
                await until(lambda: intake.waiting)
                intake.commit()
            assert intake.payloads == wanted
            assert intake.most_waiting <= 7

    with mosquitto(tmp_path) as broker, peer(broker) as device:
        play(lambda: story(broker, device))


def test_a_full_queue_makes_the_broker_wait_and_loses_nothing(tmp_path: Path) -> None:
    async def story(broker: Broker, device: Peer) -> None:
        intake = HonestIntake(by_itself=False, limit=5)
        async with running(settings(broker), intake) as (client, _):
            await subscribed(client)
            wanted = [b"%d" % number for number in range(50)]
            await aside(device, "home/1", *wanted)
            while len(intake.durable) < 50:
                await until(lambda: len(intake.waiting) == 5)
                intake.commit()
            assert intake.payloads == wanted
            assert intake.refusals

    with mosquitto(tmp_path) as broker, peer(broker) as device:
        play(lambda: story(broker, device))


@BOTH_LEVELS
def test_the_session_keeps_messages_while_the_gateway_is_away(tmp_path: Path, protocol: int) -> None:
    async def story(broker: Broker, device: Peer) -> None:
        intake = HonestIntake()
        chosen = settings(broker, protocol=protocol)
        async with running(chosen, intake) as (client, _):
            await subscribed(client)
        await aside(device, "home/1", b"while away")
        async with running(chosen, intake) as (client, _):
            await until(lambda: intake.payloads == [b"while away"])

    with mosquitto(tmp_path) as broker, peer(broker) as device:
        play(lambda: story(broker, device))


@BOTH_LEVELS
def test_a_restarted_broker_that_forgot_the_session_is_subscribed_again(
    tmp_path: Path, protocol: int
) -> None:
    async def story(broker: Broker) -> None:
        intake = HonestIntake()
        async with running(settings(broker, protocol=protocol), intake) as (client, _):
            await subscribed(client)
            broker.kill()
            await until(lambda: not client.connected)
            broker.start()
            await until(lambda: client.reconnects == 1)
            await subscribed(client)
            with peer(broker) as device:
                await aside(device, "home/1", b"after the restart")
                await until(lambda: intake.payloads == [b"after the restart"])

    with mosquitto(tmp_path) as broker:
        play(lambda: story(broker))


def test_a_retained_state_is_marked_and_a_live_one_is_not(tmp_path: Path) -> None:
    async def story(broker: Broker, device: Peer) -> None:
        device.publish("home/lock", b"old", retain=True)
        intake = HonestIntake()
        async with running(settings(broker), intake) as (client, _):
            await until(lambda: intake.durable)
            await aside(device, "home/lock", b"new", retain=True)
            await until(lambda: len(intake.durable) == 2)
            assert [(frame.payload, frame.retained) for frame in intake.durable] == [
                (b"old", True),
                (b"new", False),
            ]
            assert client.connected

    with mosquitto(tmp_path) as broker, peer(broker) as device:
        play(lambda: story(broker, device))


@BOTH_LEVELS
def test_others_hear_when_the_gateway_comes_breaks_off_and_stops(tmp_path: Path, protocol: int) -> None:
    async def story(broker: Broker, other: Peer) -> None:
        other.subscribe("vaka/1/gateway/+/status")

        def codes() -> list[str]:
            return [msgspec.json.decode(payload)["data"]["code"] for _, payload, _ in other.heard]

        intake = HonestIntake()
        chosen = settings(broker, protocol=protocol)
        async with running(chosen, intake, "vaka/1/#") as (client, _):
            await until(lambda: codes() == ["connected"])
            cut(client)
            await until(lambda: codes() == ["connected", "connection_lost", "connected"])
        await until(lambda: codes()[3:] == ["stopped"])
        assert {topic for topic, _, _ in other.heard} == {"vaka/1/gateway/gw/status"}
        assert not intake.durable, "the gateway's own status is nobody's message"

    with mosquitto(tmp_path) as broker, peer(broker) as other:
        play(lambda: story(broker, other))


@BOTH_LEVELS
def test_a_wrong_password_is_said_plainly_and_tried_again(
    tmp_path: Path, protocol: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(broker: Broker) -> None:
        chosen = settings(broker, protocol=protocol, username="gateway", password="not-it")
        async with running(chosen, HonestIntake()) as (client, _):
            await until(lambda: caplog.text.count("check user name, password") >= 2)
            assert not client.connected
            assert "check user name, password" in client.standing.trouble
        right = settings(broker, protocol=protocol, username="gateway", password="quite right")
        async with running(right, HonestIntake()) as (client, _):
            await subscribed(client)

    words = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", words, "gateway", "quite right"], check=True)
    config = ["allow_anonymous false", f"password_file {words}"]
    with mosquitto(tmp_path, config_lines=config) as broker:
        play(lambda: story(broker))
    assert "not-it" not in caplog.text


def test_a_silent_broker_is_noticed_within_the_keep_alive(tmp_path: Path) -> None:
    async def story(broker: Broker) -> None:
        async with running(settings(broker, keep_alive_s=5), HonestIntake()) as (client, _):
            await subscribed(client)
            broker.freeze()
            await until(lambda: "PINGRESP" in client.standing.trouble, within_s=7)
            assert not client.connected
            broker.thaw()
            await until(lambda: client.connected)

    with mosquitto(tmp_path) as broker:
        play(lambda: story(broker))


def test_a_disk_that_stalls_longer_than_the_keep_alive_does_not_cost_the_connection(tmp_path: Path) -> None:
    async def story(broker: Broker, device: Peer) -> None:
        intake = HonestIntake(by_itself=False)
        chosen = settings(broker, keep_alive_s=5, receive_maximum=3)
        async with running(chosen, intake) as (client, _):
            await subscribed(client)
            await aside(device, "home/1", *[b"%d" % number for number in range(20)], qos=0)
            await until(lambda: client._link and client._link._inflow.paused)
            await asyncio.sleep(6)
            assert client.connected
            while len(intake.durable) < 20:
                await until(lambda: intake.waiting)
                intake.commit()
            assert client.reconnects == 0

    with mosquitto(tmp_path) as broker, peer(broker) as device:
        play(lambda: story(broker, device))


def test_two_gateways_with_one_name_are_told_so_and_do_not_fight_many_times_a_second(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(broker: Broker) -> None:
        chosen = settings(broker, reconnect_max_s=2)
        async with (
            running(chosen, HonestIntake()) as (one, _),
            running(chosen, HonestIntake()) as (two, _),
        ):
            await until(lambda: "look for a second client with the id 'gw'" in caplog.text)
            await asyncio.sleep(4)
            taken = one.standing.connections + two.standing.connections
            assert taken <= 30, "a storm takes hundreds"

    with mosquitto(tmp_path) as broker:
        play(lambda: story(broker))


@BOTH_LEVELS
def test_a_message_above_the_limit_becomes_a_fault_with_evidence_and_does_not_come_again(
    tmp_path: Path, protocol: int
) -> None:
    async def story(broker: Broker, device: Peer) -> None:
        intake = HonestIntake()
        async with running(settings(broker, protocol=protocol), intake) as (client, _):
            await subscribed(client)
            await aside(device, "home/1", bytes(MAX_PAYLOAD_BYTES + 1), bytes(MAX_PAYLOAD_BYTES), b"")
            await until(lambda: client.acknowledged == 3)
            large, largest, empty = intake.durable
            assert (large.fault, len(large.payload)) == ("payload of 65537 bytes; allowed are 65536", 1024)
            assert (largest.fault, len(largest.payload)) == ("", MAX_PAYLOAD_BYTES)
            assert empty.payload == b""

    with mosquitto(tmp_path) as broker, peer(broker) as device:
        play(lambda: story(broker, device))


def test_a_message_of_qos_2_from_an_older_session_is_taken_and_completed(tmp_path: Path) -> None:
    async def story(broker: Broker, device: Peer) -> None:
        with peer(broker, "gw", keep_session=True) as before:
            before.client.subscribe("old/#", 2)
            before.client.publish("old/x", b"probe", 2).wait_for_publish(5)
            await until(lambda: before.heard)
        intake = HonestIntake()
        async with running(settings(broker), intake) as (client, _):
            await subscribed(client)
            await aside(device, "old/1", *[b"%d" % number for number in range(60)], qos=2)
            await until(lambda: len(intake.durable) == 60)
            assert client.reconnects == 0

    with mosquitto(tmp_path) as broker, peer(broker) as device:
        play(lambda: story(broker, device))
