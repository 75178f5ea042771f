"""What a home costs: `python -m benchmarks.memory` (loopback, bounded; --large for up to 250,000 homes).

`vaka serve` with municipalities of two sizes: how long until it serves, what it holds when idle. Then the
state and the walk of larger ones in one process each, as a simulation has them: bytes a home, which should
not grow with the homes.
"""

import argparse
import gc
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from gateway.commands.serve import give_back
from gateway.model.frame import Frame, Transport
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules
from simulators.files import write_municipality
from simulators.municipality import make_municipality

RESULTS = Path(__file__).parent / "results"
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SERVED = (1, 1_000, 10_000)
WALKED = (1_000, 10_000)
LARGE = (50_000, 250_000)
SETTLE_S = 12.0
"""So long the gateway idles before it is looked at: its own round trip and audit have run once then."""
WITHIN_S = 300.0
MIB = 1024 * 1024


def resident(process: str) -> dict[str, int]:
    """Return bytes in memory of a process, in all and of its own (`anonymous`)."""
    found: dict[str, int] = {}
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key in {"VmRSS", "RssAnon", "VmHWM"}:
            found[key] = int(value.split()[0]) * 1024
    return {"resident": found["VmRSS"], "anonymous": found["RssAnon"], "peak": found["VmHWM"]}


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def served(homes: int, folder: Path) -> dict[str, float]:
    """Start `vaka serve` with so many homes, let it idle, and stop it."""
    write_municipality(make_municipality(homes, 1), folder)
    api, listener = free_port(), free_port()
    config = folder / "vaka.toml"
    paths = f'data_dir = "{folder / "var"}"\nregistry = "{folder / "registry.toml"}"'
    config.write_text(f"{paths}\n[api]\nport = {api}\n[listener]\nport = {listener}\n")
    command = [str(Path(sys.executable).parent / "vaka"), "serve", "--config", str(config)]
    began = time.perf_counter()
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as gateway:
        try:
            wait_for(f"http://127.0.0.1:{api}/login", gateway, began)
            start_s = time.perf_counter() - began
            time.sleep(SETTLE_S)
            return {"homes": homes, "start_s": start_s, **resident(str(gateway.pid))}
        finally:
            gateway.terminate()


def wait_for(url: str, gateway: subprocess.Popen[bytes], began: float) -> None:
    """Return once the gateway answers."""
    while time.perf_counter() - began < WITHIN_S:
        assert gateway.poll() is None, "the gateway did not start"
        with suppress(OSError):
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 - our own loopback address
            return
        time.sleep(0.05)
    raise AssertionError("the gateway did not answer in time")


def walked(homes: int) -> dict[str, float]:
    """Take a municipality into a state, in this process, and say what each home costs."""
    walk, state = Walk(load_adapters(), load_rules(), ("page",)), State()
    gc.collect()
    give_back()
    before = resident("self")["anonymous"]
    payload = make_municipality(homes, 1).document.to_json()
    frame = Frame(Transport.REGISTRY, "registry", payload, START, position=1)
    began = time.perf_counter()
    walk.step(state, frame, walk.read(frame), frozenset(), START)
    took_s = time.perf_counter() - began
    changes = state.take_changes()
    assert changes.registry is not None, changes.refusals
    del changes, frame, payload
    gc.collect()
    give_back()
    grown = resident("self")["anonymous"] - before
    return {"homes": homes, "registry_s": took_s, "bytes_a_home": grown / homes, "grown": grown}


def apart(homes: int) -> dict[str, float]:
    """Walk a municipality in a process of its own, so that none stands on what another left."""
    command = [sys.executable, "-m", "benchmarks.memory", "--walk", str(homes)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print the tables and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="walk 50,000 and 250,000 homes as well")
    parser.add_argument("--walk", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.walk:
        print(json.dumps(walked(arguments.walk)))
        return
    found: dict[str, list[dict[str, float]]] = {"serve": [], "walk": []}
    print(f"{'vaka serve, homes':>20} {'start s':>9} {'idle MiB':>9} {'own MiB':>9} {'peak MiB':>9}")
    for homes in SERVED:
        with tempfile.TemporaryDirectory() as folder:
            one = served(homes, Path(folder))
        found["serve"].append(one)
        sizes = " ".join(f"{one[key] / MIB:>9,.0f}" for key in ("resident", "anonymous", "peak"))
        print(f"{homes:>20,} {one['start_s']:>9.1f} {sizes}", flush=True)
    print(f"{'state + walk, homes':>20} {'taken s':>9} {'MiB':>9} {'bytes a home':>13}")
    for homes in (*WALKED, *LARGE) if arguments.large else WALKED:
        one = apart(homes)
        found["walk"].append(one)
        shown = f"{homes:>20,} {one['registry_s']:>9.1f} {one['grown'] / MIB:>9,.0f}"
        print(f"{shown} {one['bytes_a_home']:>13,.0f}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "memory.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
