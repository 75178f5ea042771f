"""What the FHIR facade gives: `python -m benchmarks.fhir` (a real gateway process, about a minute).

Reads and search pages a second over HTTP, with one client and with four, and an export's megabytes a second.
The log is filled beforehand, through the store, with as many events as asked for.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from gateway.contract import Changes
from gateway.model.event import Event, event_id
from gateway.model.frame import Frame, Transport
from gateway.model.vocabulary import ClockQuality, DeviceKind, PositionValues
from gateway.stores.sqlite_store import SqliteStore

HOMES = 100
A_COMMIT = 1000
START_WITHIN_S = 120.0
PORT = 18087
TOWN = """
[[tenant]]
id = "t"
name = "Testköping"
[[unit]]
id = "u"
tenant = "t"
name = "Unit"
[[team]]
id = "night"
unit = "u"
name = "Night"
[[ladder]]
id = "care"
tenant = "t"
steps = [{ to = ["night"] }]
"""
ONE = """
[[home]]
id = "home-{n}"
tenant = "t"
unit = "u"
care_ladder = "care"
technical_ladder = "care"
[[person]]
ref = "person-{n}"
home = "home-{n}"
[[device]]
id = "t/gps-{n}"
native_id = "t/gps-{n}"
kind = "gps_alarm"
tenant = "t"
adapter = "vaka"
[[enrolment]]
device = "t/gps-{n}"
home = "home-{n}"
person = "person-{n}"
since = 2026-01-01T00:00:00Z
supervised = false
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        newest = filled(folder / "data", args.events)
        process = served(folder)
        try:
            report(newest, args.events, args.seconds)
        finally:
            process.terminate()
            process.wait(30)


def filled(folder: Path, number: int) -> str:
    """Write a log of so many positions; return the id of the last."""
    folder.mkdir()
    store = SqliteStore(folder / "state.db")
    start = datetime.now(UTC) - timedelta(seconds=number)
    newest = ""
    for first in range(1, number + 1, A_COMMIT):
        span = range(first, min(first + A_COMMIT, number + 1))
        events = [position(n, start + timedelta(seconds=n)) for n in span]
        frames = [Frame(Transport.MQTT, "x", b"{}", one.received_at, position=one.frame) for one in events]
        store.commit(Changes(frames=frames, events=events, now=events[-1].received_at), events[-1].frame)
        newest = events[-1].id
    store.close()
    return newest


def position(number: int, at: datetime) -> Event:
    """Return the position of one of the town's people."""
    home = number % HOMES
    values = PositionValues(latitude=65.5 + home / 1000, longitude=22.1, accuracy_m=8, battery_percent=70)
    return Event(
        id=event_id(f"t/gps-{home}", str(number), at),
        type="position.update",
        device=f"t/gps-{home}",
        kind=DeviceKind.GPS_ALARM,
        home=f"home-{home}",
        person=f"person-{home}",
        occurred_at=at,
        received_at=at,
        processed_at=at,
        clock=ClockQuality.SYNCED,
        late_s=0.0,
        frame=number,
        values=values,
    )


def served(folder: Path) -> subprocess.Popen[bytes]:
    """Start a gateway over the log, and wait until it answers."""
    registry = folder / "registry.toml"
    registry.write_text(TOWN + "".join(ONE.format(n=n) for n in range(HOMES)))
    settings = folder / "vaka.toml"
    settings.write_text(
        f'data_dir = "{folder / "data"}"\nregistry = "{registry}"\n'
        f"[api]\nport = {PORT}\n[listener]\nenabled = false\n[watch]\nround_trip = false\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve", "--config", str(settings)],
        env=os.environ | {"VAKA_LOG": "ERROR"},
        stdin=subprocess.DEVNULL,
    )
    until = time.monotonic() + START_WITHIN_S
    while time.monotonic() < until:
        try:
            with client() as asking:
                asking.get("/api/v1/health").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return process
    process.kill()
    raise TimeoutError("the gateway did not start")


def client() -> httpx.Client:
    """Return a client of the gateway."""
    return httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=60, trust_env=False)


def report(newest: str, number: int, seconds: float) -> None:
    """Measure and print."""
    print(f"{number} events of {HOMES} devices; {seconds:g} s each; a client is one thread of this process")
    for clients in (1, 4):
        reads = rate(f"/fhir/Observation/{newest}", clients, seconds)
        pages = rate("/fhir/Observation?_count=50&_sort=-_lastUpdated", clients, seconds)
        print(f"clients {clients}: {reads:8.0f} reads/s {pages:8.0f} pages of 50/s")
    found, size, took = exported()
    print(f"export: {found} resources, {size / 1e6:.1f} MB in {took:.1f} s: {size / 1e6 / took:.2f} MB/s")


def rate(address: str, clients: int, seconds: float) -> float:
    """Return answers a second."""
    counts = [0] * clients
    end = time.monotonic() + seconds

    def ask(which: int) -> None:
        with client() as asking:
            while time.monotonic() < end:
                asking.get(address).raise_for_status()
                counts[which] += 1

    threads = [threading.Thread(target=ask, args=(one,)) for one in range(clients)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sum(counts) / seconds


def exported() -> tuple[int, int, float]:
    """Return resources, bytes and seconds of an export, from its beginning to its last file in hand."""
    with client() as asking:
        start = time.monotonic()
        where = asking.get("/fhir/$export").headers["content-location"]
        while (answer := asking.get(where)).status_code == 202:
            time.sleep(0.05)
        outputs = answer.raise_for_status().json()["output"]
        size = sum(len(body) for one in outputs for body in chunks(asking, one["url"]))
        return sum(one["count"] for one in outputs), size, time.monotonic() - start


def chunks(asking: httpx.Client, address: str) -> Iterator[bytes]:
    """Yield a file as it comes."""
    with asking.stream("GET", address) as answer:
        yield from answer.raise_for_status().iter_bytes()


if __name__ == "__main__":
    main()
