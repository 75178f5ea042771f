"""MQTT in virtual time: network in memory, simulated clients and broker, and the gateway's real ways in."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import mqtt5
import pytest

from gateway.model.frame import Frame, Transport
from simulators.driving.inprocess import Run
from simulators.driving.levels import LEVELS, FailingWired
from simulators.house.port import Arrival
from simulators.house.wired import Way
from simulators.outputs import Message
from simulators.protocol.broker import Broker, matches
from simulators.protocol.client import KEEP_ALIVE_S, Client, Login
from simulators.protocol.network import NetworkLoop, Pipe
from simulators.protocol.packets import V5, V311, Stream, write
from simulators.scenarios.build import Play, build
from simulators.scenarios.scenario import read_scenario

PORT = 1884
WILL = Message("vaka/1/demo/social-001/status", b'{"state":"offline"}', 1, retain=True)
DEVICE = "demo/social-001"


class Ear(asyncio.Protocol):
    """Keeps what it hears, and whether it may write."""

    def __init__(self) -> None:
        self.heard, self.lost, self.may_write = b"", False, True
        self.transport: Pipe | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Pipe)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def connection_lost(self, _exc: Exception | None) -> None:
        self.lost = True

    def pause_writing(self) -> None:
        self.may_write = False

    def resume_writing(self) -> None:
        self.may_write = True


@pytest.fixture
def loop() -> Iterator[NetworkLoop]:
    made = NetworkLoop()
    yield made
    made.close()


def joined(loop: NetworkLoop) -> tuple[Ear, Ear]:
    near, far = Ear(), Ear()
    loop.network.listen(PORT, lambda: far)
    loop.call_soon(loop.network.dial, "a", PORT, near)
    loop.run_to(0.0)
    return near, far


def pipe(ear: Ear) -> Pipe:
    assert ear.transport is not None
    return ear.transport


def test_bytes_arrive_in_order_after_the_latency(loop: NetworkLoop) -> None:
    loop.network.latency_s = 0.25
    near, far = joined(loop)
    pipe(near).write(b"one ")
    loop.run_to(0.1)
    pipe(near).write(b"two")
    loop.run_to(0.3)
    assert far.heard == b"one "
    loop.run_to(0.4)
    assert far.heard == b"one two"


def test_who_does_not_read_holds_its_writer_back(loop: NetworkLoop) -> None:
    near, far = joined(loop)
    pipe(far).pause_reading()
    pipe(near).write(b"x" * 100_000)
    loop.run_to(1)
    assert not near.may_write
    pipe(far).resume_reading()
    loop.run_to(2)
    assert near.may_write
    assert len(far.heard) == 100_000


def test_a_cut_is_seen_by_both_ends_and_a_half_open_link_by_none(loop: NetworkLoop) -> None:
    near, far = joined(loop)
    loop.network.half_open("a")
    pipe(near).write(b"into the void")
    pipe(near).close()
    loop.run_to(60)
    assert (near.lost, far.lost, far.heard) == (True, False, b"")
    loop.call_soon(loop.network.cut, "a")
    loop.run_to(61)
    assert far.lost


def test_nobody_listening_is_a_refusal(loop: NetworkLoop) -> None:
    with pytest.raises(ConnectionRefusedError):
        loop.network.dial("a", 1, Ear())


@pytest.mark.parametrize("level", [V311, V5])
def test_packets_survive_being_written_and_read(level: int) -> None:
    will = mqtt5.Will("t/w", payload=b"gone", qos=mqtt5.QoS.AT_LEAST_ONCE, retain=True)
    sent: list[mqtt5.Packet] = [
        mqtt5.ConnectPacket("c", username="u", password=b"p", will=will, keep_alive=30),
        mqtt5.PublishPacket("t", b"\xff" * 300, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=7, duplicate=True),
        mqtt5.PubAckPacket(7),
        mqtt5.SubscribePacket(8, [mqtt5.TopicFilter("a/#", max_qos=mqtt5.QoS.AT_LEAST_ONCE)]),
        mqtt5.PingReqPacket(),
        mqtt5.DisconnectPacket(),
    ]
    raw = b"".join(write(packet, level) for packet in sent)
    stream = Stream()
    read = [packet for cut in range(len(raw)) for packet in stream.feed(raw[cut : cut + 1])]
    assert [type(packet) for packet in read] == [type(packet) for packet in sent]
    connect, publish = read[0], read[1]
    assert isinstance(connect, mqtt5.ConnectPacket)
    assert connect.will is not None
    assert (connect.username, connect.password, connect.will.payload) == ("u", b"p", b"gone")
    assert isinstance(publish, mqtt5.PublishPacket)
    assert (publish.packet_id, publish.duplicate, len(publish.payload)) == (7, True, 300)


def test_what_is_no_connect_is_refused() -> None:
    with pytest.raises(ValueError, match="no CONNECT"):
        list(Stream().feed(b"\x30\x04\x00\x01ab"))


@pytest.mark.parametrize(
    ("pattern", "topic", "found"),
    [
        ("a/+/c", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("+", "a/b", False),
        ("#", "$SYS/x", False),
        ("a/b", "a/b/c", False),
    ],
)
def test_topics_match_as_the_standard_says(pattern: str, topic: str, *, found: bool) -> None:
    assert matches(pattern, topic) is found


# -- the broker in memory


class Listener(Client):
    """A client that subscribes to everything and keeps what it hears."""

    def __init__(self, loop: NetworkLoop, name: str) -> None:
        super().__init__(loop, Login(name, None, PORT), Random(1), lambda _token: None)
        self.got: list[tuple[bytes, bool, bool]] = []
        self.hold = False

    def _connack(self, packet: mqtt5.ConnAckPacket) -> None:
        super()._connack(packet)
        if not packet.session_present:
            self._send(
                mqtt5.SubscribePacket(999, [mqtt5.TopicFilter("t/#", max_qos=mqtt5.QoS.AT_LEAST_ONCE)])
            )

    def _take(self, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.PublishPacket):
            self.got.append((packet.payload, packet.retain, packet.duplicate))
            if self.hold:
                return
        super()._take(packet)


def client(loop: NetworkLoop, name: str, heard: Callable[[int], None] = lambda _token: None) -> Client:
    return Client(loop, Login(name, None, PORT), Random(2), heard)


@pytest.fixture
def broker(loop: NetworkLoop) -> Broker:
    made = Broker(loop, PORT)
    made.start()
    return made


def test_a_kept_session_gets_what_came_while_it_was_away(loop: NetworkLoop, broker: Broker) -> None:
    listener, sender, told = Listener(loop, "demo/l"), client(loop, "demo/s"), []
    sender._acknowledged = told.append
    loop.call_soon(listener.up, None)
    loop.call_soon(sender.up, None)
    loop.run_to(1)
    loop.call_soon(listener.down)
    loop.run_to(2)
    loop.call_soon(sender.publish, Message("t/1", b"missed"), 41)
    loop.run_to(3)
    assert told == [41]
    assert listener.got == []
    loop.call_soon(listener.up, None)
    loop.run_to(10)
    assert listener.got == [(b"missed", False, False)]
    assert broker.dropped == 0


def test_what_was_not_acknowledged_comes_again_with_dup(loop: NetworkLoop, broker: Broker) -> None:
    listener, sender = Listener(loop, "demo/l"), client(loop, "demo/s")
    listener.hold = True
    loop.call_soon(listener.up, None)
    loop.call_soon(sender.up, None)
    loop.run_to(1)
    loop.call_soon(sender.publish, Message("t/1", b"x"))
    loop.run_to(2)
    loop.call_soon(loop.network.cut, "demo/l")
    loop.run_to(30)
    assert listener.got == [(b"x", False, False), (b"x", False, True)]
    assert len(broker.sessions["demo/l"].flying) == 1


def test_retained_messages_and_last_wills_reach_who_subscribes(loop: NetworkLoop, broker: Broker) -> None:
    sender, late = client(loop, "demo/s"), Listener(loop, "demo/l")
    loop.call_soon(sender.up, Message("t/status", b"gone", 1, retain=True))
    loop.call_soon(sender.publish, Message("t/status", b"here", 1, retain=True))
    loop.run_to(1)
    loop.call_soon(late.up, None)
    loop.run_to(2)
    assert late.got == [(b"here", True, False)]
    loop.call_soon(sender.down)
    loop.run_to(3)
    assert late.got[1:] == [(b"gone", False, False)]
    assert broker.retained["t/status"].payload == b"gone"


def test_a_broker_that_stops_speaks_no_will_and_keeps_its_sessions(loop: NetworkLoop, broker: Broker) -> None:
    listener, sender = Listener(loop, "demo/l"), client(loop, "demo/s")
    loop.call_soon(listener.up, None)
    loop.call_soon(sender.up, Message("t/w", b"gone", 1))
    loop.run_to(1)
    loop.call_soon(broker.stop)
    loop.call_soon(sender.publish, Message("t/1", b"kept by the sender"))
    loop.run_to(20)
    loop.call_soon(broker.start)
    loop.run_to(60)
    assert listener.got == [(b"kept by the sender", False, False)]


# -- the gateway's own ways in


def scenario(**more: object) -> Play:
    found = {
        "title": {"sv": "Prov", "en": "Try"},
        "about": {"sv": "Prov", "en": "Try"},
        "homes": 5,
        "life": "still",
        "crew": "none",
        "starts": "2026-11-22T18:30:00",
        "lasts": "1h",
    }
    return build(read_scenario(found | more, "try", "try"))


class House:
    """A wired gateway, and every frame that it committed."""

    def __init__(self, folder: Path, way: Way) -> None:
        self.play = scenario()
        self.gateway = FailingWired(self.play, folder, way)
        self.frames: list[Frame] = []
        self.gateway.committed = lambda changes, _cursor: self.frames.extend(changes.frames)
        self.told: list[int] = []
        self.gateway.acknowledged = self.told.extend
        self.now = self.play.start
        self.gateway.link(self.now, DEVICE, WILL, up=True)
        self.later(1)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.gateway.come_to(self.now)

    def press(self, token: int) -> None:
        step = self.play.world.stage.act(DEVICE, self.now, "press")[0]
        assert isinstance(step.output, Message)
        self.gateway.take(Arrival(self.now, DEVICE, step.output, token=token))

    def heard(self, leaf: str) -> list[Frame]:
        wanted = f"vaka/1/{DEVICE}/{leaf}"
        return [one for one in self.frames if one.transport is Transport.MQTT and one.channel == wanted]


@pytest.fixture(params=["listener", "broker"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, request.param)
    yield made
    made.gateway.close()


def test_a_press_is_on_disk_and_acknowledged_in_the_same_moment(house: House) -> None:
    house.press(7)
    house.later(0.5)
    assert house.told == [7]
    assert len(house.heard("event")) == 1


def test_a_cut_speaks_the_last_will_and_the_device_comes_back_by_itself(house: House) -> None:
    house.gateway.cut(DEVICE)
    house.later(0.5)
    assert [frame.payload for frame in house.heard("status")] == [WILL.payload]
    house.later(30)
    house.press(8)
    house.later(1)
    assert house.told == [8]
    assert house.gateway.clients[DEVICE].tally.connections == 2


def test_a_device_on_a_half_open_link_sends_again_until_it_is_heard(house: House) -> None:
    house.gateway.half_open(DEVICE)
    house.later(1)
    house.press(9)
    house.later(30)
    assert house.told == []
    assert house.heard("event") == []
    house.later(KEEP_ALIVE_S + 60)
    assert house.told == [9]
    assert len(house.heard("event")) == 1


def test_a_lost_puback_brings_the_frame_twice_and_the_second_is_marked(house: House) -> None:
    house.gateway.deafen(DEVICE)
    house.later(1)
    house.press(10)
    house.later(KEEP_ALIVE_S + 60)
    assert house.told == [10]
    assert house.gateway.clients[DEVICE].tally.resent == 1
    twice = house.heard("event")
    if house.gateway.way == "listener":  # a broker passes both on as new: DUP is of one connection
        assert [frame.duplicate for frame in twice] == [False, True]
    assert twice[0].payload == twice[-1].payload
    assert len(twice) == 2


def test_a_crash_of_the_gateway_loses_no_press(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    house.gateway.crash()
    house.press(11)
    house.later(20)
    # Behind a broker the sender's promise is the broker's, and the gateway's begins where that ends.
    assert house.told == ([11] if house.gateway.way == "broker" else [])
    assert house.heard("event") == []
    house.gateway.restart(house.now)
    house.later(30)
    assert house.told == [11]
    assert len(house.heard("event")) == 1


def test_a_wrong_password_is_refused_and_nothing_comes_in(tmp_path: Path) -> None:
    play = scenario()
    play.world.passwords[DEVICE] = "guessed"
    gateway = FailingWired(play, tmp_path, "listener")
    gateway.link(play.start, DEVICE, WILL, up=True)
    gateway.come_to(play.start + timedelta(seconds=5))
    assert gateway.clients[DEVICE].tally.refused == "bad user name or password"
    assert gateway.clients[DEVICE].tally.connections == 0
    gateway.close()


def test_a_broker_without_power_holds_nothing_back_for_ever(tmp_path: Path) -> None:
    house = House(tmp_path, "broker")
    house.gateway.broker_down()
    house.later(1)
    house.press(12)
    house.later(60)
    assert house.told == []
    house.gateway.broker_up()
    house.later(120)
    assert house.told == [12]
    assert len(house.heard("event")) == 1
    house.gateway.close()


def test_a_scenario_breaks_single_connections_and_the_broker_and_loses_nothing() -> None:
    faults = [
        {"kind": "cut", "from": "+5m", "where": "home-001"},
        {"kind": "half_open", "from": "+12m", "where": "home-002"},
        {"kind": "deaf", "from": "+20m", "where": "home-003"},
        {"kind": "broker", "from": "+30m", "until": "+33m"},
    ]
    happens = [{"at": "+25m", "device": "social_alarm:1", "do": "press"}]
    for level in LEVELS[2:]:
        done = Run(scenario(fault=faults, happens=happens), level)
        done.run()
        assert done.broken == [], level
        assert "sos" in {alert.rule for alert in done.account.alerts.values()}


def test_a_door_opens_once_and_a_stream_only(loop: NetworkLoop) -> None:
    loop.network.listen(PORT, Ear)
    with pytest.raises(OSError, match="in use"):
        loop.network.listen(PORT, Ear)
