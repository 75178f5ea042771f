"""A bench in virtual time: the real probe and counterpart on a network in memory, one simulated device."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import mqtt5
import msgspec

from gateway.conformance.bench import Bench
from gateway.conformance.declaration import Declaration
from gateway.conformance.probe import Address, Probe
from gateway.conformance.record import Record
from gateway.conformance.served import Served
from simulators.outputs import Message
from simulators.protocol.client import Client, Login
from simulators.protocol.loop import VirtualClock
from simulators.protocol.network import NetworkLoop

T = TypeVar("T")
START = datetime(2026, 11, 23, 8, tzinfo=UTC)
PROBE_PORT = 1884
NAME = "demo/lock-1"
BASE = f"vaka/1/{NAME}"
PASSWORD = "a-password-of-the-kit"


def declared(**changes: Any) -> Declaration:
    found: dict[str, Any] = {
        "device": {"vendor": "Exempel AB", "product": "L1", "firmware": "1.0.0", "kind": "lock"},
        "connection": {"tenant": "demo", "device": "lock-1", "username": NAME, "password": PASSWORD},
        "pics": {
            "mqtt": ["5", "3.1.1"],
            "events": ["lock.locked", "lock.unlocked", "heartbeat"],
            "commands": ["lock", "unlock"],
            "config": ["heartbeat_s"],
            "offline_events": 100,
        },
        "pixit": {"operated": ["lock.unlocked"]},
    }
    for name, values in changes.items():
        found[name] = found.get(name, {}) | values
    return Declaration.model_validate(found)


class Device:
    """A well-behaved lock over the simulators' MQTT client, driven as an upper tester would."""

    def __init__(self, loop: NetworkLoop, name: str = NAME, password: str = PASSWORD) -> None:
        self.loop = loop
        self.client = Client(loop, Login(name, password, PROBE_PORT), Random(1), lambda _token: None)
        self.client.heard = self.hear
        self.commands: list[dict[str, Any]] = []
        self.actions = frozenset({"event"})
        self.sequence = 0
        self.spoil: Callable[[dict[str, Any]], None] = lambda _event: None

    def on(self) -> None:
        will = Message(f"{BASE}/status", b'{"state":"offline"}', retain=True)
        self.client.up(will)
        self.say("status", {"state": "online", "firmware": "1.0.0"}, retain=True)

    def say(self, branch: str, body: dict[str, Any], *, retain: bool = False) -> None:
        self.client.publish(Message(f"{BASE}/{branch}", msgspec.json.encode(body), retain=retain))

    def event(self, word: str, **data: Any) -> None:
        self.sequence += 1
        at = VirtualClock(self.loop, START).now()
        body = {
            "specversion": "1.0",
            "id": f"e-{self.sequence}",
            "source": f"vaka:{NAME}",
            "type": f"vaka.{word}.v1",
            "time": at.isoformat(),
            "sequence": self.sequence,
            "clockquality": "synced",
            "data": data,
        }
        self.spoil(body)
        self.say("event", body)

    async def do(self, action: str, values: Any) -> None:
        assert action == "event"
        self.loop.call_later(values.get("after_s", 0), self.event, values["type"])

    def hear(self, _device: str, leaf: str, payload: bytes) -> None:
        body = msgspec.json.decode(payload)
        if leaf == "command":
            self.commands.append(body)
            self.say("result", {"id": body["id"], "outcome": "done"})
        elif leaf == "config":
            self.say(
                "status",
                {"state": "online", "firmware": "1.0.0", "config_revision": body["revision"]},
                retain=True,
            )


class Rig:
    """A bench with everything around it."""

    def __init__(self, bench: Bench, probe: Probe, served: Served, device: Device) -> None:
        self.bench, self.probe, self.served, self.device = bench, probe, served, device
        self.record = bench.record


@asynccontextmanager
async def rig(folder: Path, declaration: Declaration | None = None) -> AsyncIterator[Rig]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, NetworkLoop)
    clock = VirtualClock(loop, START)
    wanted = declaration or declared()
    served = Served(wanted, folder, clock)
    record = Record()
    probe = Probe(record, wanted.connection, Address("127.0.0.1", PROBE_PORT), lambda: served.address)
    device = Device(loop)
    await served.start()
    await probe.start()
    try:
        yield Rig(Bench(wanted, record, probe, served, clock, device), probe, served, device)
    finally:
        device.client.down()
        await probe.stop()
        await served.stop()


def play(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run something in virtual time."""
    loop = NetworkLoop()
    try:
        task = loop.create_task(work())
        while not task.done():
            before = loop.time()
            loop.run_to(before + 3600)
        return task.result()
    finally:
        loop.close()


def codes(rig: Rig, kind: str) -> list[Any]:
    return [seen.packet for seen in rig.record if seen.kind == kind and seen.packet is not None]


CONNACK = mqtt5.ConnAckPacket
Work = Callable[[Rig], Awaitable[None]]
