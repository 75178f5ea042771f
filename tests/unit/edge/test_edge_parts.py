"""The small parts of an edge: watchdog, clock, words, settings, and whose order a frame belongs to."""

import asyncio
import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.contract import ConfigurationError, Refused, StoreUnavailableError
from gateway.edge import words
from gateway.edge.clock import Discipline
from gateway.edge.file import QueueFile, Work
from gateway.edge.house import Edge, device_of
from gateway.edge.remote import Remote
from gateway.edge.settings import EdgeSettings, load_edge_settings
from gateway.edge.watchdog import Watchdog
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Reading
from gateway.model.vocabulary import HealthValues
from gateway.pipeline.decode import AdapterTable, decode
from gateway.plugins import load_adapters

ROOT = Path(__file__).parents[3]
LOCK, LAMP = "F0:12:34:56:78:9A", "A4:C1:38:8D:18:B2"
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
TABLE = AdapterTable(load_adapters())


def settings(folder: Path, **more: Any) -> EdgeSettings:
    found: dict[str, Any] = {
        "data_dir": folder,
        "identity": {"tenant": "t", "name": "edge-1", "password": "p"},
        "link": [{"name": "main", "url": "mqtt://127.0.0.1:1"}],
        "listener": {"enabled": False},
        "clock": {"source": "trusted"},
    }
    return EdgeSettings.model_validate(found | more)


def test_systemd_hears_that_the_edge_is_ready_and_well(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(30)
        watchdog = Watchdog({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "60000000"})
        assert watchdog.every_s == 20
        watchdog.ready()
        watchdog.well("3 frames wait\nmain")
        watchdog.stopping()
        told = [systemd.recv(200) for _ in range(3)]
    assert told == [b"READY=1", b"WATCHDOG=1\nSTATUS=3 frames wait main", b"STOPPING=1"]
    watchdog.well("nobody listens any more, and that is no fault")
    assert Watchdog({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}).every_s == 0
    Watchdog({}).ready()


def test_the_watchdog_is_fed_only_while_the_disk_takes_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told, broken, commit = tmp_path / "notify", list[bytes](), list[bool](), QueueFile.commit

    def refusing(self: QueueFile, work: Work) -> None:
        if broken:
            raise StoreUnavailableError("no space left")
        commit(self, work)

    monkeypatch.setattr(QueueFile, "commit", refusing)

    async def life() -> None:
        watchdog = Watchdog({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "30000"})
        edge, stop = Edge(settings(tmp_path / "edge"), watchdog=watchdog), asyncio.Event()
        running = asyncio.create_task(edge.run(stop))
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(30):
            while b"WATCHDOG=1" not in b"".join(told):
                told.append(await loop.sock_recv(systemd, 200))
            broken.append(True)
            while True:
                try:
                    async with asyncio.timeout(1):
                        told[:] = [await loop.sock_recv(systemd, 200)]
                except TimeoutError:
                    break
        broken.clear()
        stop.set()
        await running

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        asyncio.run(life())


@pytest.mark.parametrize(("source", "synced"), [("trusted", True), ("none", False)])
def test_a_clock_is_believed_as_it_was_configured(source: Any, synced: bool) -> None:  # noqa: FBT001 - a parameter
    assert Discipline(source, 1).synced is synced


def test_the_kernel_is_asked_whether_the_clock_is_kept() -> None:
    found = Discipline("kernel", 1)
    assert found.offset_s is not None, "this machine's kernel answers"
    assert Discipline("kernel", 1e-12).synced is False, "no clock is kept as well as that"


def test_what_the_edge_says_of_itself_is_read_by_the_adapter_of_the_interface() -> None:
    values = HealthValues(link="main", details={"queued": 3, "dropped": 0})
    said = {
        "status": words.status(AT, synced=True, revision=7),
        "telemetry": words.heartbeat(AT, values, synced=False),
        "event": words.fault(AT, "queue_overflow", {"dropped": 2}, synced=True),
    }
    found = {}
    for branch, payload in {**said, "will": words.LOST}.items():
        topic = words.topic("t/edge-1", branch.replace("will", "status"))
        decoded = decode(Frame(Transport.MQTT, topic, payload, AT), TABLE)
        assert not decoded.failure, decoded.failure
        (found[branch],) = (one for one in decoded.items if isinstance(one, Reading))
    assert [one.type for one in found.values()] == [
        "device.online",
        "heartbeat",
        "device.fault",
        "device.offline",
    ]
    assert isinstance(found["status"].values, HealthValues)
    assert found["status"].values.config_revision == 7
    assert found["telemetry"].values.details == {"queued": 3, "dropped": 0}


def test_a_frame_belongs_to_the_order_of_the_device_that_it_names() -> None:
    find = device_of(TABLE)
    event = b'{"specversion":"1.0","id":"1","type":"vaka.test.v1","time":"2026-01-01T00:00:00Z"}'
    names = {
        find(Frame(Transport.MQTT, f"vaka/1/t/lock-1/{branch}", payload, AT, source=source))
        for branch, payload, source in (
            ("event", event, "lock-1"),
            ("event", b"broken", ""),
            ("status", words.LOST, "someone"),
        )
    }
    assert names == {"vaka t/lock-1"}
    assert find(Frame(Transport.MQTT, "nobody/reads", b"", AT)) == "nobody/reads"
    assert find(Frame(Transport.MQTT, "nobody/reads", b"", AT, source="lamp")) == "lamp"


def test_a_configuration_of_the_centre_holds_over_a_restart(tmp_path: Path) -> None:
    async def told(payload: bytes) -> float:
        edge, stop = Edge(settings(tmp_path)), asyncio.Event()
        running = asyncio.create_task(edge.run(stop))
        if payload:
            edge._configure(payload)
            await asyncio.gather(*edge._keeping)
        stop.set()
        await running
        return edge.remote.heartbeat_s

    assert asyncio.run(told(b"")) == 60
    assert asyncio.run(told(json.dumps({"revision": 3, "heartbeat_s": 7}).encode())) == 7
    assert asyncio.run(told(b"")) == 7
    assert asyncio.run(told(b"no configuration")) == 7


def test_what_the_centre_sets_is_laid_over_the_file_and_refused_when_it_cannot_be(tmp_path: Path) -> None:
    own = Remote(settings(tmp_path, ble={"device": [{"address": LAMP, "profile": "bthome"}]}), "")
    told = {
        "revision": 2,
        "queue_bytes": 1 << 21,
        "queue_age_s": 90,
        "radios": [{"address": LOCK, "profile": "vaka"}],
    }
    there = own.offered(json.dumps(told).encode())
    assert (own.revision, there.revision) == (None, 2)
    assert (there.limits().max_bytes, there.limits().max_age_us) == (1 << 21, 90_000_000)
    assert [one.address for one in own.radio().device] == [LAMP]
    assert [one.address for one in there.radio().device] == [LOCK]
    for wrong, words_ in (
        ({"radios": [{"address": LOCK, "profile": "no-such"}]}, "radios.profile: found 'no-such'; allowed: "),
        ({"radios": [{"address": LOCK, "profile": "vaka"}] * 2}, "radios: "),
        ({"queue_bytes": 1}, "no configuration: "),
    ):
        with pytest.raises(Refused, match=words_):
            own.offered(json.dumps(told | wrong).encode())
    assert Remote(settings(tmp_path), '{"revision": "of another version"}').revision is None


def test_the_example_configuration_is_good_and_takes_its_secret_from_the_environment() -> None:
    path = ROOT / "deploy" / "edge.toml"
    found = load_edge_settings(path, {"VAKA_IDENTITY__PASSWORD": "secret"})
    assert [link.interface for link in found.link] == ["eth0", "wwan0"]
    assert found.identity.password is not None
    with pytest.raises(ConfigurationError, match=r"identity\.password: found nothing; allowed: the edge's"):
        load_edge_settings(path, {})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"link": []}, "link"),
        ({"link": [{"name": "a", "url": "mqtt://x"}] * 2}, "link.name: found 'a' more than once"),
        ({"uplink": {"in_flight": 65}}, "uplink.in_flight: found 65"),
        ({"listener": {"host": "10.0.0.1", "anonymous": True}}, "listener.anonymous"),
        ({"device": [{"id": "d", "adapter": "vaka", "native_id": "d"}] * 2}, "'d' more than once"),
    ],
)
def test_a_wrong_configuration_is_told_by_its_key(wrong: dict[str, Any], told: str, tmp_path: Path) -> None:
    from gateway.config import validated

    good = settings(tmp_path).model_dump(mode="json") | {
        "identity": {"tenant": "t", "name": "e", "password": "p"}
    }
    with pytest.raises(ConfigurationError) as caught:
        validated(EdgeSettings, good | wrong, "edge.toml")
    assert told in str(caught.value)
