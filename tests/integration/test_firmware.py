"""The mock lock, a program of its own, on a real broker: nothing lost, nothing twice, nothing invented."""

import json
import socket
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.firmware import BASE, bodies, events, lock
from tests.integration.mosquitto import Broker, Peer, free_port, mosquitto, peer, wait_for

VMS = [pytest.param("cpython", marks=pytest.mark.mosquitto), "wasm"]
on_every_vm = pytest.mark.parametrize("vm", VMS)

KEPT = ["persistence false", "max_queued_messages 0"]


def order(key: str, do: str = "unlock", after_s: float = 60) -> bytes:
    expires = datetime.now(UTC) + timedelta(seconds=after_s)
    return json.dumps({"id": key, "do": do, "expires": expires.isoformat(timespec="seconds")}).encode()


def results(listener: Peer) -> dict[str, str]:
    return {body["id"]: body["outcome"] for body in bodies(listener, "result")}


def listen(listener: Peer) -> None:
    listener.subscribe(f"{BASE}/#")


def kept(folder: Path) -> str:
    """What waits in the lock's flash."""
    path = folder / "outbox.txt"
    return path.read_text() if path.exists() else ""


def states(broker: Broker) -> list[str]:
    """What the broker retains, as a late subscriber hears it."""
    with peer(broker) as late:
        late.subscribe(f"{BASE}/status")
        wait_for(lambda: bodies(late, "status"))
        assert all(retained for _, _, retained in late.heard)
        return [body["state"] for body in bodies(late, "status")]


@on_every_vm
def test_it_boots_says_that_it_is_online_and_beats(vm: str, tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, peer(broker) as listener:
        listen(listener)
        with lock(vm, tmp_path, broker.port, heartbeat_s=1):
            wait_for(lambda: len(events(listener, "heartbeat")) >= 2)
            status = bodies(listener, "status")[0]
            assert status["state"] == "online"
            assert {"time", "firmware", "battery", "config_revision"} <= set(status)
            assert states(broker) == ["online"]
        (boot,) = events(listener, "device.online")
        assert boot.data["details"]["vm"] == ("cpython" if vm == "cpython" else "micropython")
        assert abs(datetime.now(UTC) - boot.at) < timedelta(minutes=1)
        sequences = [event.sequence for event in events(listener)]
        assert sequences == sorted(set(sequences))
        assert all(event.data["details"]["free_bytes"] > 0 for event in events(listener, "heartbeat"))


@on_every_vm
def test_a_command_turns_the_bolt_once_and_is_answered_as_often_as_it_is_sent(
    vm: str, tmp_path: Path
) -> None:
    with mosquitto(tmp_path) as broker, peer(broker) as listener, lock(vm, tmp_path, broker.port):
        listen(listener)
        wait_for(lambda: events(listener, "device.online"))
        one = order("c-1")
        listener.publish(f"{BASE}/command", one, one, order("c-2", "lock"))
        wait_for(lambda: len(bodies(listener, "result")) == 3)
        assert results(listener) == {"c-1": "done", "c-2": "done"}
        assert [e.word for e in events(listener) if "lock." in e.word] == ["lock.unlocked", "lock.locked"]
        assert {e.data["means"] for e in events(listener) if "lock." in e.word} == {"remote"}


@on_every_vm
def test_a_late_or_broken_command_is_answered_and_turns_nothing(vm: str, tmp_path: Path) -> None:
    broken: list[bytes] = [
        b'{"id":"no-expiry","do":"unlock"}',
        b'{"id":"no-offset","do":"unlock","expires":"2036-01-01T00:00:00"}',
        b'{"id":"number","do":"unlock","expires":12}',
        b'{"id":"word","do":["unlock"],"expires":"2036-01-01T00:00:00Z"}',
        b'{"id":7,"do":"unlock","expires":"2036-01-01T00:00:00Z"}',
        b"not JSON",
        b"\xff\xfe",
        b"[]",
        b"",
    ]
    with mosquitto(tmp_path) as broker, peer(broker) as listener, lock(vm, tmp_path, broker.port):
        listen(listener)
        wait_for(lambda: events(listener, "device.online"))
        listener.publish(f"{BASE}/command", order("late", after_s=-5), *broken, order("good"))
        wait_for(lambda: "good" in results(listener))
        assert len(bodies(listener, "result")) == len(broken) + 2
        outcomes = results(listener)
        assert outcomes.pop("late") == "expired"
        assert outcomes.pop("good") == "done"
        assert set(outcomes.values()) == {"rejected"}
        assert len(events(listener, "lock.unlocked")) == 1


@on_every_vm
def test_without_a_time_it_says_so_and_judges_no_expiry(vm: str, tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path) as broker,
        peer(broker) as listener,
        lock(vm, tmp_path, broker.port, clock_after_ms=2500, heartbeat_s=1),
    ):
        listen(listener)
        wait_for(lambda: events(listener, "device.online"))
        listener.publish(f"{BASE}/command", order("c-1"))
        wait_for(lambda: results(listener).get("c-1") == "rejected")
        wait_for(lambda: any(event.clockquality == "synced" for event in events(listener)))
        assert events(listener, "device.online")[0].clockquality == "unsynced"
        assert events(listener, "device.online")[0].at.year == 2000
        listener.publish(f"{BASE}/command", order("c-2"))
        wait_for(lambda: results(listener).get("c-2") == "done")


@on_every_vm
def test_a_jammed_bolt_is_an_event_and_a_failed_command(vm: str, tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, peer(broker) as listener, lock(vm, tmp_path, broker.port, jam=True):
        listen(listener)
        wait_for(lambda: events(listener, "device.online"))
        listener.publish(f"{BASE}/command", order("c-1"))
        wait_for(lambda: results(listener).get("c-1") == "failed")
        assert len(events(listener, "lock.jammed")) == 1


@on_every_vm
def test_a_power_cut_is_spoken_by_the_last_will_and_a_switch_is_not(vm: str, tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, peer(broker) as listener:
        listen(listener)
        with lock(vm, tmp_path, broker.port) as device:
            wait_for(lambda: events(listener, "device.online"))
            device.cut()
        wait_for(lambda: bodies(listener, "status")[-1]["state"] == "offline")
        assert bodies(listener, "status")[-1]["reason"] == "connection lost"
        assert states(broker) == ["offline"]
        with lock(vm, tmp_path, broker.port) as device:
            wait_for(lambda: bodies(listener, "status")[-1]["state"] == "online")
            # The boot before the power cut may come twice, with one id: its PUBACK may have been cut off.
            wait_for(lambda: len({event.id for event in events(listener, "device.online")}) == 2)
            assert device.stop() == 0
        assert states(broker) == ["online"]


@on_every_vm
def test_what_happens_while_the_broker_is_away_comes_later_in_order_with_its_own_time(
    vm: str, tmp_path: Path
) -> None:
    hand = [{"after_ms": 300 * n, "do": ("unlock", "lock")[n % 2]} for n in range(12)]
    with mosquitto(tmp_path, config_lines=KEPT) as broker:
        broker.stop()
        with lock(vm, tmp_path, broker.port, hand=hand, retry_max_ms=2000) as device:
            wait_for(lambda: kept(device.state).count("vaka.lock.") == 12)
            back = datetime.now(UTC)
            broker.start()
            with peer(broker, "second") as listener:
                listen(listener)
                wait_for(lambda: len([e for e in events(listener) if "lock." in e.word]) == 12)
                turned = [event for event in events(listener) if "lock." in event.word]
    assert [event.word for event in turned] == ["lock.unlocked", "lock.locked"] * 6
    assert [event.sequence for event in turned] == list(range(turned[0].sequence, turned[0].sequence + 12))
    assert all(event.at < back for event in turned)
    assert turned == sorted(turned, key=lambda event: event.at)


@on_every_vm
def test_a_power_cut_loses_no_event_and_reuses_no_sequence(vm: str, tmp_path: Path) -> None:
    port = free_port()
    with lock(vm, tmp_path, port, hand=[{"after_ms": 100, "do": "unlock"}]) as device:
        wait_for(lambda: "lock.unlocked" in kept(device.state))
        device.cut()
    with mosquitto(tmp_path) as broker, peer(broker) as listener:
        listen(listener)
        with lock(vm, tmp_path, broker.port) as device:
            wait_for(lambda: len(events(listener, "device.online")) == 2)
            listener.publish(f"{BASE}/command", order("c-1", "lock"))
            wait_for(lambda: events(listener, "lock.locked"))
            wait_for(lambda: not kept(device.state))
        assert [e.word for e in events(listener)] == [
            "device.online",
            "lock.unlocked",
            "device.online",
            "lock.locked",
        ]
        sequences = [event.sequence for event in events(listener)]
        assert sequences == sorted(set(sequences))


@on_every_vm
def test_a_configuration_is_confirmed_kept_over_a_power_cut_and_a_wrong_one_told(
    vm: str, tmp_path: Path
) -> None:
    with mosquitto(tmp_path) as broker, peer(broker) as listener:
        listen(listener)
        listener.publish(f"{BASE}/config", b'{"revision":3,"heartbeat_s":1}', retain=True)
        with lock(vm, tmp_path, broker.port) as device:
            wait_for(lambda: events(listener, "heartbeat"))
            assert bodies(listener, "status")[-1]["config_revision"] == 3
            for wrong in (b'{"revision":4,"heartbeat_s":0}', b'{"revision":"4"}', b"junk"):
                listener.publish(f"{BASE}/config", wrong)
            wait_for(lambda: len(events(listener, "device.fault")) == 3)
            device.cut()
        listener.publish(f"{BASE}/config", b"", retain=True)
        listener.heard.clear()
        with lock(vm, tmp_path, broker.port):
            wait_for(lambda: bodies(listener, "status")[-1:] and "firmware" in bodies(listener, "status")[-1])
            assert bodies(listener, "status")[-1]["config_revision"] == 3


@on_every_vm
def test_a_frozen_broker_is_noticed_by_keep_alive(vm: str, tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path) as broker,
        peer(broker) as listener,
        lock(vm, tmp_path, broker.port, keepalive=1, heartbeat_s=3600),
    ):
        listen(listener)
        wait_for(lambda: events(listener, "device.online"))
        broker.freeze()
        log = tmp_path / "lock.log"
        wait_for(lambda: b"PINGRESP" in log.read_bytes())
        broker.thaw()
        wait_for(lambda: len([b for b in bodies(listener, "status") if b["state"] == "online"]) >= 2)


class Gateway:
    """A listening socket that plays the gateway packet by packet."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(10)
        self.port: int = self.server.getsockname()[1]

    def accept(self) -> tuple[socket.socket, bytes]:
        """Take a connection, answer CONNECT, and return what CONNECT said."""
        link, _ = self.server.accept()
        link.settimeout(10)
        first, hello = packet(link)
        assert first == 0x10
        link.sendall(b"\x20\x02\x00\x00")
        return link, hello


def exactly(link: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = link.recv(count - len(found))
        assert piece, "the lock closed the connection"
        found += piece
    return found


def packet(link: socket.socket) -> tuple[int, bytes]:
    first, length, shift = exactly(link, 1)[0], 0, 0
    while True:
        byte = exactly(link, 1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return first, exactly(link, length)


def publishes(link: socket.socket, count: int) -> list[tuple[int, str, bytes, dict[str, Any]]]:
    """Read so many event PUBLISH packets: first byte, topic, packet id, payload; all else is passed over."""
    found = []
    while len(found) < count:
        first, body = packet(link)
        if first & 0xF0 == 0x30:
            size = struct.unpack("!H", body[:2])[0]
            topic = body[2 : 2 + size].decode()
            if topic == f"{BASE}/event":
                found.append((first, topic, body[2 + size : 4 + size], json.loads(body[4 + size :])))
    return found


@on_every_vm
def test_what_is_not_acknowledged_is_sent_again_unchanged_with_dup(vm: str, tmp_path: Path) -> None:
    gateway = Gateway()
    hand = [{"after_ms": 0, "do": "unlock"}, {"after_ms": 0, "do": "lock"}]
    with gateway.server, lock(vm, tmp_path, gateway.port, hand=hand) as device:
        link, hello = gateway.accept()
        assert b"connection lost" in hello
        before = publishes(link, 3)
        link.close()
        link, _ = gateway.accept()
        after = publishes(link, 3)
        assert [first & 0x08 for first, *_ in before] == [0, 0, 0]
        assert [first & 0x08 for first, *_ in after] == [8, 8, 8]
        assert [rest for _, *rest in after] == [rest for _, *rest in before]
        assert kept(device.state).count("\n") == 3
        for _, _, packet_id, _ in after:
            link.sendall(b"\x40\x02" + packet_id)
        wait_for(lambda: not kept(device.state))
        link.close()


@on_every_vm
def test_it_logs_in_with_its_own_name_and_password(vm: str, tmp_path: Path) -> None:
    gateway = Gateway()
    with gateway.server, lock(vm, tmp_path, gateway.port, user="demo/lock-900", password="s3cret"):
        link, hello = gateway.accept()
        assert hello.endswith(b"\x00\x0ddemo/lock-900\x00\x06s3cret")
        assert hello[7] & 0xC0 == 0xC0
        assert not hello[7] & 0x02, "the session is persistent"
        link.close()


@on_every_vm
@pytest.mark.parametrize(
    "noise", [b"\x30\xff\xff\xff\xff\x01", b"\x40\x00", b"\x30\xff\xff\x7f", b"\x30\x03\x00\x09x"]
)
def test_noise_on_the_line_ends_the_connection_and_not_the_lock(
    vm: str, tmp_path: Path, noise: bytes
) -> None:
    gateway = Gateway()
    with gateway.server, lock(vm, tmp_path, gateway.port) as device:
        link, _ = gateway.accept()
        publishes(link, 1)
        link.sendall(noise)
        again, _ = gateway.accept()
        publishes(again, 1)
        assert device.process.poll() is None
        link.close()
        again.close()
