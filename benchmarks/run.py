"""What the whole walk carries, and how soon a carer sees it: `make bench` (loopback only, bounded).

Both ways in, zero loss checked: events a second from QoS 1 publish to committed event, beside a subscriber
that does nothing, on the same broker in the same run; then the latency from a publish's intended moment to
the alert on a live page at 100 and 1,000 events/s, and of an SOS at saturation. Figures go to
benchmarks/results/latest.json. Goals: design paper "measured", "Goals".
"""

import argparse
import json
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.page import latencies
from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import BINARY, free_port, wait_for

RESULTS = Path(__file__).parent / "results"
BROKER = "allow_anonymous true\nset_tcp_nodelay true\nmax_inflight_messages 2048\nmax_queued_messages 0\n"
CONNECTIONS = 50


def town(folder: Path, homes: int) -> Path:
    """Make the registry and the passwords of a municipality."""
    _simulate("municipality", "--homes", str(homes), "--seed", "3", "--out", str(folder))
    return folder


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Run mosquitto without its log, which would be what is measured."""
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nuser root\n{BROKER}")
    assert BINARY is not None
    process = subprocess.Popen([BINARY, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def gateway(folder: Path, url: str | None, *, shadow: bool = False) -> Iterator[GatewayProcess]:
    """Run the gateway with the active rules, behind a broker or with its own listener, on a fresh state."""
    broker_settings = [{"name": "main", "url": url, "topics": ["vaka/1/#"]}] if url else []
    settings: dict[str, Any] = {"registry": str(folder / "registry.toml"), "broker": broker_settings}
    settings["shadow_rules"] = shadow
    found = GatewayProcess(folder, listener={"enabled": url is None}, **settings)
    found.start()
    try:
        if url:
            wait_for(lambda: found.get("/api/v1/health")["ways_in"]["main"]["subscribed"], 20)
        yield found
    finally:
        found.stop()


def sustained(folder: Path, way: str, messages: int, *, shadow: bool = False) -> dict[str, float]:
    """Return events a second from the first publish to the last committed event, and that none was lost."""
    with (
        _way(folder, way) as (url, subscriber_url),
        gateway(folder, subscriber_url, shadow=shadow) as process,
    ):
        target = url or f"mqtt://127.0.0.1:{process.listener_port}"
        began = time.perf_counter()
        report = _load(folder, target, messages)
        wait_for(lambda: _count(process) >= messages, 120)
        seconds = time.perf_counter() - began
        lost = messages - _count(process)
        cpu = _cpu_s(process.pid)
    # The generator's own start (interpreter, connections) is not the gateway's: it counts its own run.
    tail = max(0.0, seconds - report["wall_s"])
    return {
        "events_s": messages / (report["seconds"] + tail),
        "acknowledged_s": report["rate"],
        "lost": lost,
        "cpu_us": cpu / messages * 1e6,
    }


def do_nothing(folder: Path, messages: int) -> dict[str, float]:
    """Return messages a second that mosquitto's own C subscriber takes at QoS 1, doing nothing."""
    with broker(folder) as url:
        port = url.rsplit(":", 1)[1]
        command = ["mosquitto_sub", "-p", port, "-q", "1", "-t", "vaka/1/#", "-C", str(messages), "-F", ""]
        subscriber = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        began = time.perf_counter()
        report = _load(folder, url, messages)
        subscriber.wait(120)
        tail = max(0.0, time.perf_counter() - began - report["wall_s"])
    return {"messages_s": messages / (report["seconds"] + tail)}


def to_the_page(folder: Path, way: str, rate: int, seconds: int) -> dict[str, float]:
    """Return p50 and p99 in milliseconds from the intended publish to the alert on a live page."""
    with _way(folder, way) as (url, subscriber_url), gateway(folder, subscriber_url) as process:
        target = url or f"mqtt://127.0.0.1:{process.listener_port}"
        found = latencies(process.page_port, target, folder, rate=rate, seconds=seconds)
    return _percentiles(found)


def sos_at_saturation(folder: Path, way: str, messages: int) -> dict[str, float]:
    """Return p50 and p99 in milliseconds of an SOS while everything else comes flat out."""
    with _way(folder, way) as (url, subscriber_url), gateway(folder, subscriber_url) as process:
        target = url or f"mqtt://127.0.0.1:{process.listener_port}"
        flood = subprocess.Popen(_command(folder, target, messages), stdout=subprocess.DEVNULL)
        time.sleep(1.5)
        try:
            found = latencies(process.page_port, target, folder, rate=20, seconds=5, share=1.0)
        finally:
            flood.terminate()
            flood.wait(30)
    return _percentiles(found)


def main() -> None:
    """Measure everything, print a table, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--homes", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=10, help="of each latency run")
    parser.add_argument(
        "--tmpfs", type=Path, default=Path("/dev/shm"), help="for the runs without the disk's tail"
    )
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"machine": f"{platform.machine()}, Python {platform.python_version()}"}
    for name, base in (("disk", None), ("tmpfs", arguments.tmpfs)):
        figures[name] = _on(base, arguments)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(json.dumps(figures, indent=1))


def _on(base: Path | None, arguments: argparse.Namespace) -> dict[str, Any]:
    n, rounds, seconds = arguments.messages, arguments.rounds, arguments.seconds
    figures: dict[str, Any] = {}

    def measure(name: str, work: Callable[[Path], dict[str, float]], times: int) -> None:
        found = [_in_folder(base, arguments.homes, work) for _ in range(times)]
        figures[name] = {key: statistics.median(one[key] for one in found) for key in found[0]}
        shown = "  ".join(f"{key} {value:,.2f}" for key, value in figures[name].items())
        print(f"{'disk' if base is None else 'tmpfs':6} {name:34} {shown}", flush=True)

    measure("do-nothing subscriber", lambda f: do_nothing(f, n), rounds)
    measure("through mosquitto", lambda f: sustained(f, "broker", n), rounds)
    measure("through the listener", lambda f: sustained(f, "listener", n), rounds)
    measure("the same, shadow rules too", lambda f: sustained(f, "listener", n // 2, shadow=True), 1)
    ratio = figures["through mosquitto"]["events_s"] / figures["do-nothing subscriber"]["messages_s"]
    print(f"       through mosquitto / do-nothing: {ratio:.2f} (goal 0.50)")
    for rate in (100, 1000):
        for way in ("listener", "broker"):
            measure(f"page at {rate}/s by {way}", lambda f, w=way, r=rate: to_the_page(f, w, r, seconds), 1)
    measure("SOS at saturation", lambda f: sos_at_saturation(f, "listener", n * 5), 1)
    return figures


def _in_folder(base: Path | None, homes: int, work: Callable[[Path], dict[str, float]]) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=base, prefix="vaka-bench-") as folder:
        return work(town(Path(folder), homes))


@contextmanager
def _way(folder: Path, way: str) -> Iterator[tuple[str | None, str | None]]:
    """Yield where to publish (None: the gateway's listener) and which broker the gateway is a client of."""
    if way == "listener":
        yield None, None
    else:
        with broker(folder) as url:
            yield url, url


def _command(folder: Path, url: str, messages: int) -> list[str]:
    return [
        *(sys.executable, "-m", "simulators", "load", "--broker", url, "--dir", str(folder)),
        *("--connections", str(CONNECTIONS), "--messages", str(messages), "--window", "64"),
    ]


def _load(folder: Path, url: str, messages: int) -> dict[str, float]:
    began = time.perf_counter()
    done = subprocess.run(_command(folder, url, messages), check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1]) | {"wall_s": time.perf_counter() - began}


def _simulate(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "simulators", *arguments], check=True, capture_output=True)


def _count(process: GatewayProcess) -> int:
    log = sqlite3.connect(process.data / "state.db")
    try:
        (count,) = log.execute("SELECT count(*) FROM events WHERE type = 'motion.detected'").fetchone()
    finally:
        log.close()
    return int(count)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _percentiles(found: list[float]) -> dict[str, float]:
    if len(found) < 2:
        raise SystemExit("the page showed no alerts: nothing was measured")
    cuts = statistics.quantiles(found, n=100)
    return {
        "alerts": len(found),
        "p50_ms": statistics.median(found),
        "p99_ms": cuts[98],
        "max_ms": max(found),
    }


if __name__ == "__main__":
    main()
