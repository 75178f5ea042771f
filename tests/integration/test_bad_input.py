"""Every kind of bad input, over both ways in, is named in the trace with its reason; memory stays bounded."""

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from mqtt5 import ConnectPacket, PublishPacket, QoS
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.transports.mqtt_codec import MQTT_311, encode
from tests.integration.gateway_process import GatewayProcess
from tests.integration.loads import make_town, settle
from tests.integration.mosquitto import hang_up, mosquitto, wait_for

DEVICE = "demo/social-001"
TOPIC = f"vaka/1/{DEVICE}/event"
FLOOD = 100_000
WINDOW = 60


def event(**changes: Any) -> bytes:
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": "bad-1",
        "source": f"vaka:{DEVICE}",
        "type": "vaka.heartbeat.v1",
        "time": datetime.now(UTC).isoformat(),
        "clockquality": "synced",
        "data": {},
    }
    return json.dumps(found | changes).encode()


def at(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


BAD: list[tuple[str, str, bytes, str]] = [
    ("malformed JSON", TOPIC, b'{"specversion":', "VDI-ENC-02"),
    ("a wrong type", TOPIC, event(id=7), "VDI-EVT"),
    (
        "a wrong type in the data",
        TOPIC,
        event(type="vaka.position.update.v1", data={"latitude": "north"}),
        "VDI-EVT",
    ),
    ("an unknown type", TOPIC, event(type="vaka.teapot.boiled.v1"), "VDI-EVT-03"),
    ("broken UTF-8", TOPIC, b'{"id":"\xff\xfe"}', "VDI-ENC-01"),
    ("an empty payload", TOPIC, b"", "VDI-MQTT-03"),
    ("a time without an offset", TOPIC, event(time="2026-11-22T19:00:00"), "VDI-EVT"),
    ("a value out of range", TOPIC, event(data={"battery_percent": 900}), "VDI-EVT"),
]


@pytest.fixture
def town(tmp_path: Path) -> Path:
    return make_town(tmp_path)


class Ways:
    """A gateway and how to reach it, by its listener or by a broker; what it told `before` is passed over."""

    def __init__(
        self, gateway: GatewayProcess, port: int, password: str | None, before: Sequence[dict[str, Any]] = ()
    ) -> None:
        self.gateway = gateway
        self.port = port
        self.password = password
        self._before = before

    def client(self, level: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=level)
        if self.password:
            client.username_pw_set(DEVICE, self.password)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        return client

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        client = self.client()
        client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)
        hang_up(client)

    def flood(self, payloads: list[bytes], count: int) -> None:
        """Publish so many with QoS 1 as MQTT 3.1.1, with a window of unacknowledged ones."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as peer:
            password = self.password.encode() if self.password else None
            username = DEVICE if password else None
            peer.sendall(encode(ConnectPacket("flood", username=username, password=password), MQTT_311))
            assert peer.recv(4) == b"\x20\x02\x00\x00"
            sent = answered = 0
            while answered < 4 * count:
                room = min(WINDOW - sent + answered // 4, count - sent)
                peer.sendall(b"".join(_publish(payloads, sent + number) for number in range(room)))
                sent += room
                answers = peer.recv(65536)
                assert answers, f"closed after {answered // 4} of {sent}"
                answered += len(answers)

    def remarks(self) -> list[dict[str, Any]]:
        found = self.gateway.get("/api/v1/trace?newest=200")
        told = found if isinstance(found, list) else found["remarks"]
        return [one for one in told if one not in self._before]

    def remark(self, *words: str) -> dict[str, Any]:
        """Wait for a remark that holds all the words in its verdict, reason or clause."""

        def find() -> dict[str, Any] | None:
            for remark in self.remarks():
                text = f"{remark['verdict']} {remark['reason']} {remark['clause']}"
                if all(word.lower() in text.lower() for word in words):
                    return remark
            return None

        with suppress(AssertionError):
            wait_for(find)
        found = find()
        assert found is not None, f"{words} not in {self.remarks()[:5]}"
        return found


@contextmanager
def opened(town: Path, way: str) -> Iterator[Ways]:
    registry = str(town / "registry.toml")
    if way == "listener":
        password = json.loads((town / "secrets.json").read_text())[DEVICE]
        gateway = GatewayProcess(town, registry=registry)
        gateway.start()
        try:
            yield Ways(gateway, gateway.listener_port, password)
        finally:
            gateway.stop()
        return
    with mosquitto(town, config_lines=["max_queued_messages 0"]) as broker:
        settings = [{"name": "main", "url": broker.url, "topics": ["#"]}]
        gateway = GatewayProcess(town, registry=registry, listener={"enabled": False}, broker=settings)
        gateway.start()
        try:
            wait_for(lambda: gateway.get("/api/v1/health")["ways_in"]["main"]["subscribed"])
            yield Ways(gateway, broker.port, None)
        finally:
            gateway.stop()


BOTH = ["listener", pytest.param("broker", marks=pytest.mark.mosquitto)]


@pytest.fixture(scope="module", params=BOTH)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    with opened(make_town(tmp_path_factory.mktemp("town")), request.param) as ways:
        yield ways


@pytest.fixture
def ways(running: Ways) -> Ways:
    return Ways(running.gateway, running.port, running.password, running.remarks())


@pytest.mark.parametrize(("what", "topic", "payload", "clause"), BAD, ids=[case[0] for case in BAD])
def test_a_bad_message_is_quarantined_with_its_reason_and_clause(
    ways: Ways, what: str, topic: str, payload: bytes, clause: str
) -> None:
    ways.publish(topic, payload)
    remark = ways.remark("quarantined", clause)
    assert remark["device"] == DEVICE, what
    assert remark["reason"]
    kept = ways.gateway.get("/api/v1/quarantine")
    assert json.dumps(kept).count(clause)


def test_future_and_ancient_times_are_events_with_a_clock_that_is_not_believed(ways: Ways) -> None:
    ways.publish(TOPIC, event(id="future", time=at(days=400)))
    ways.publish(TOPIC, event(id="ancient", time="1970-01-01T00:00:00Z"))

    def both() -> bool:
        events = ways.gateway.get(f"/api/v1/events?device={DEVICE}")
        found = events if isinstance(events, list) else events["events"]
        return len([one for one in found if one["clock"] == "unsynced"]) == 2

    wait_for(both)


def test_an_unknown_topic_is_quarantined_or_refused_and_named(ways: Ways) -> None:
    ways.publish("coffee/machine", b"hot")
    ways.remark("quarantined", "coffee" if ways.password is None else "topic")


def test_a_payload_past_the_limit_is_named(ways: Ways) -> None:
    client = ways.client(MQTTProtocolVersion.MQTTv311)
    client.publish(TOPIC, b"x" * (64 * 1024 + 1), qos=1)
    ways.remark("quarantined", "65536")
    hang_up(client)


@pytest.mark.parametrize("way", BOTH)
def test_a_flood_of_bad_messages_leaves_memory_bounded(town: Path, way: str) -> None:
    with opened(town, way) as ways:
        flooded(ways)


def flooded(ways: Ways) -> None:
    resident = _resident_mb(ways.gateway.pid)
    ways.flood([payload for _, _, payload, _ in BAD], FLOOD)

    def alerts() -> list[dict[str, Any]]:
        found = ways.gateway.get("/api/v1/alerts") or []  # None: no answer within the time of a request
        return list(found if isinstance(found, list) else found["alerts"])

    wait_for(lambda: (found := alerts()) and found[0]["count"] >= FLOOD, 120)
    assert _resident_mb(ways.gateway.pid) - resident < 120
    assert [alert["rule"] for alert in alerts()] == ["rejected_call"]  # a social alarm's may be a call
    settle(ways.gateway)


def test_an_unknown_device_is_named_and_silent(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, listener={"anonymous": True})
    gateway.start()
    try:
        ways = Ways(gateway, gateway.listener_port, None)
        ways.publish(
            "vaka/1/demo/stranger/event", event(type="vaka.alarm.manual.v1", source="vaka:demo/stranger")
        )
        ways.remark("unknown_device", "not enrolled")
        found = gateway.get("/api/v1/devices/discovered")
        assert "demo/stranger" in json.dumps(found)
        assert "[]" in json.dumps(gateway.get("/api/v1/alerts"))
    finally:
        gateway.stop()


@pytest.mark.mosquitto
def test_a_retained_old_state_is_status_and_not_news(town: Path) -> None:
    with mosquitto(town) as broker:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        client.publish("nuki/AABBCC99/state", b"3", qos=1, retain=True).wait_for_publish(10)
        text = (town / "registry.toml").read_text()
        tenant = next(line for line in text.splitlines() if line.startswith("tenant ="))
        home = next(line for line in text.splitlines() if line.startswith("home ="))
        (town / "registry.toml").write_text(
            f'{text}\n[[device]]\nid = "nuki-1"\n{tenant}\nadapter = "nuki"\nnative_id = "AABBCC99"\n'
            'kind = "lock"\n'
            f'\n[[enrolment]]\ndevice = "nuki-1"\n{home}\nsince = 2026-01-01T00:00:00Z\n'
        )
        settings = [{"name": "main", "url": broker.url, "topics": ["nuki/#"]}]
        gateway = GatewayProcess(
            town, registry=str(town / "registry.toml"), listener={"enabled": False}, broker=settings
        )
        gateway.start()
        try:
            Ways(gateway, broker.port, None).remark("not_news", "retained")
        finally:
            gateway.stop()
            hang_up(client)


RAW: list[tuple[str, bytes, str]] = [
    ("a packet cut short", b"\x10\x40\x00\x04MQTT\x05\x02", "inside a packet"),
    ("a wrong protocol level", b"\x10\x0e\x00\x04MQTT\x03\x02\x00\x3c\x00\x02ab", "level"),
    ("MQTT 3.1", b"\x10\x10\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x02ab", "level"),
    ("no MQTT at all", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""),
    ("a length of five bytes", b"\x30\xff\xff\xff\xff\x7f", ""),
    (
        "bad credentials",
        b"\x10\x18\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01a\x00\x04demo\x00\x03bad",
        "password",
    ),
]


@pytest.mark.parametrize(("what", "packet", "word"), RAW, ids=[case[0] for case in RAW])
@pytest.mark.parametrize("running", ["listener"], indirect=True)
def test_a_broken_packet_on_the_listener_is_named_in_the_trace(
    ways: Ways, what: str, packet: bytes, word: str
) -> None:
    with socket.create_connection(("127.0.0.1", ways.port), timeout=5) as peer:
        peer.sendall(packet)
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(4096):
            pass
    assert ways.remark("quarantined", word)["step"] == "transport", what


def _publish(payloads: list[bytes], number: int) -> bytes:
    payload = payloads[number % len(payloads)]
    packet = PublishPacket(TOPIC, payload, qos=QoS.AT_LEAST_ONCE, packet_id=number % 60_000 + 1)
    return encode(packet, MQTT_311)


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6
