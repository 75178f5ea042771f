"""How soon a call over Bluetooth is an alert at the centre, with fifty peripherals on one edge.

Gateway, edge and radio are processes of their own; the edge runs its own transport over HCI. Every pendant
is put on and taken off again and again, and pressed now and then; what is measured is a press, from the
moment at which the device makes the event to the alert on a live page.

usage: python -m benchmarks.edge_radio [--minutes 10] [--peripherals 50] [--slots 50]
"""

import argparse
import asyncio
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.page import Watcher
from gateway.service.logins import hash_secret
from simulators.radio.backend import GATEWAY_ADDRESS
from simulators.radio.conditions import Conditions
from simulators.radio.devices.pendant import Pendant
from simulators.radio.hci_port import HciPort
from simulators.radio.host import make_host
from simulators.radio.medium import Medium
from simulators.radio.play import address_of
from tests.integration.edge_home import EDGE, PASSWORD, EdgeProcess
from tests.integration.gateway_process import GatewayProcess

PRESS_EVERY_S, SAY_EVERY_S = 30.0, 5.0
"""Mean wall seconds between a pendant's presses, and between what else it says."""
CONNECTED_WITHIN_S, TOLD_WITHIN_S = 180.0, 60.0
INTERVAL_MS = 250.0
STORED = (
    "SELECT count(*) FROM events WHERE device LIKE 't/pendant-%' AND json_extract(body, '$.sequence') > 0"
)
TICKS = os.sysconf("SC_CLK_TCK")


class Calls(Watcher):
    """Counts the presses that each device's alert tells of, and when it told of them."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.told: dict[str, list[float]] = defaultdict(list)

    def note(self, alert: dict[str, Any], now: float) -> None:
        """A stream that sends two changes as one tells of both at that moment."""
        found = self.told[alert["device"]]
        found.extend([now] * (alert["count"] - len(found)))


def name_of(number: int) -> str:
    """Return the pendant's id."""
    return f"t/pendant-{number:03d}"


def write_registry(folder: Path, count: int) -> Path:
    """Write one home for each pendant, and a home with the edge through which they all speak."""
    since = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    common = {"tenant": "t", "adapter": "vaka"}
    own = {"tenant": "t", "unit": "u", "care_ladder": "care", "technical_ladder": "care"}
    numbers = range(1, count + 1)
    names = {number: name_of(number) for number in numbers}
    edge = common | {"id": EDGE, "native_id": EDGE, "kind": "gateway", "secret": hash_secret(PASSWORD)}
    parts: dict[str, list[dict[str, Any]]] = {
        "tenant": [{"id": "t", "name": "Testköping"}],
        "unit": [{"id": "u", "tenant": "t", "name": "Unit"}],
        "team": [{"id": "day", "unit": "u", "name": "day"}],
        "ladder": [{"id": "care", "tenant": "t", "steps": [{"to": ["day"]}]}],
        "home": [own | {"id": f"h{number}"} for number in range(count + 1)],
        "person": [{"ref": f"p{number}", "home": f"h{number}"} for number in numbers],
        "device": [
            edge,
            *(
                common | {"id": name, "native_id": name, "kind": "social_alarm", "via": EDGE}
                for name in names.values()
            ),
        ],
        "enrolment": [
            {"device": EDGE, "home": "h0", "since": since, "heartbeat_s": 3600},
            *(
                {"device": name, "home": f"h{n}", "person": f"p{n}", "since": since, "heartbeat_s": 86_400}
                for n, name in names.items()
            ),
        ],
    }
    path = folder / "registry.json"
    path.write_text(json.dumps(parts))
    return path


def make_pendant(medium: Medium, number: int) -> Pendant:
    """Return a pendant without power."""
    return Pendant(lambda: make_host(medium, address_of(number), "device"), name_of(number), f"SN-{number}")


def make_edge(folder: Path, gateway: GatewayProcess, port: int, count: int, slots: int) -> EdgeProcess:
    """Return an edge whose adapter is behind that port."""
    link = {"name": "main", "url": gateway.url}
    edge = EdgeProcess(folder, [link], ble={"enabled": True, "connection_slots": slots}, heartbeat_s=60)
    devices = ", ".join(
        f'{{address="{address_of(number)}", profile="vaka", device="{name_of(number)}"}}'
        for number in range(1, count + 1)
    )
    edge.environment["VAKA_BLE__DEVICE"] = f"[{devices}]"
    bonds = str(folder / "bonds.json")
    edge.program = (sys.executable, "-m", "tests.integration.edge_on_radio", str(port), bonds)
    return edge


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid: int) -> float:
    """Return the most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


async def until(condition: Any, within_s: float) -> None:
    """Wait; TimeoutError when it does not come true."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what other processes do is no event here
            await asyncio.sleep(0.1)


async def speak(pendant: Pendant, presses: list[float], chance: random.Random, until_s: float) -> None:
    """Let one pendant live; notes when it pressed."""
    on = False
    while (now := time.monotonic()) < until_s:
        await asyncio.sleep(min(chance.expovariate(1 / SAY_EVERY_S), until_s - now))
        if chance.random() < SAY_EVERY_S / PRESS_EVERY_S:
            presses.append(time.time())
            pendant.press()
        else:
            on = not on
            pendant.wear(on=on)


async def measure(folder: Path, gateway: GatewayProcess, minutes: float, count: int, slots: int) -> None:
    """Run it all and print the figures."""
    medium, chance = Medium(Conditions(connection_slots=count)), random.Random(3)  # noqa: S311 - repeatable
    pendants = [make_pendant(medium, number) for number in range(1, count + 1)]
    for one in pendants:
        one.interval_ms = INTERVAL_MS
        await one.power_on()
    adapter = HciPort(medium, GATEWAY_ADDRESS)
    edge = make_edge(folder, gateway, await adapter.open(), count, slots)
    began = time.perf_counter()
    edge.start()
    try:
        await until(lambda: sum(one.clock.synced for one in pendants) == count, CONNECTED_WITHIN_S)
        print(
            f"{count} peripherals bonded and their clocks set in {time.perf_counter() - began:.1f} s",
            flush=True,
        )
        assert edge.process is not None
        pids = {"edge": edge.process.pid, "gateway": gateway.pid, "radio and devices": os.getpid()}
        before = {name: cpu_s(pid) for name, pid in pids.items()}
        presses: list[list[float]] = [[] for _ in pendants]
        with Calls(gateway.page_port) as calls:
            began = time.perf_counter()
            ends = time.monotonic() + minutes * 60
            await asyncio.gather(
                *(speak(one, made, chance, ends) for one, made in zip(pendants, presses, strict=True))
            )
            took = time.perf_counter() - began
            used = {name: (cpu_s(pid) - before[name]) / took for name, pid in pids.items()}
            made = {name_of(n): len(times) for n, times in enumerate(presses, 1) if times}
            try:
                await until(lambda: all(len(calls.told[d]) >= n for d, n in made.items()), TOLD_WITHIN_S)
            except TimeoutError:
                missing = sum(max(0, n - len(calls.told[d])) for d, n in made.items())
                print(f"{missing} presses are not told by an alert", flush=True)
        events = sum(one.memory.sequence for one in pendants)
        await until(lambda: stored(gateway) >= events, TOLD_WITHIN_S)
        tell(presses, calls.told, events, stored(gateway), took)
        for name, pid in pids.items():
            print(f"{name:18} CPU {used[name] * 100:5.1f} % of one, most memory {memory_mib(pid):4.0f} MiB")
    finally:
        await asyncio.to_thread(edge.stop)
        await adapter.close()
        for one in pendants:
            await one.power_cut()


def stored(gateway: GatewayProcess) -> int:
    """Return how many events of the pendants' own the log has."""
    file = sqlite3.connect(gateway.data / "state.db", timeout=10)
    try:
        return int(file.execute(STORED).fetchone()[0])
    finally:
        file.close()


def tell(
    presses: Sequence[Sequence[float]], told: dict[str, list[float]], events: int, kept: int, took: float
) -> None:
    """Print how many there were, and how long they took."""
    delays = sorted(
        (seen - made) * 1000
        for number, times in enumerate(presses, 1)
        for made, seen in zip(times, told[name_of(number)], strict=False)
    )
    p50, p99 = (delays[min(len(delays) - 1, int(len(delays) * part))] for part in (0.5, 0.99))
    print(
        f"{took:.0f} s: {events} events, {kept} in the log; {len(delays)} calls, indication to alert "
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {delays[-1]:.1f} ms"
    )


def main() -> None:
    """Measure in a folder that goes afterwards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--peripherals", type=int, default=50)
    parser.add_argument("--slots", type=int, default=50, help="links that the edge's adapter holds at once")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vaka-bench-") as name:
        folder = Path(name)
        registry = str(write_registry(folder, asked.peripherals))
        gateway = GatewayProcess(folder, registry=registry, watch={"round_trip": False})
        gateway.start()
        try:
            asyncio.run(measure(folder, gateway, asked.minutes, asked.peripherals, asked.slots))
        finally:
            gateway.stop()


if __name__ == "__main__":
    main()
