"""A flood of 5,000 technical alerts in 10 s with 5 calls for help among them: Vaka beside Alertmanager.

Both get the same alerts at the same pace on loopback in one run, and tell a webhook on loopback. Vaka takes
them as devices' messages through its listener; Alertmanager, as Debian packages it, over its own API, with
the grouping of the configuration that the package brings and again without waiting. What is measured: from
the intended moment of a call to the webhook that tells of it, how many webhooks came, and what a restart in
the middle does. `nice -n 10 python -m benchmarks.flood`; loopback only, bounded.
"""

import argparse
import asyncio
import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.integration.flooding import Message, Sink, flooded_gateway, post, schedule, send_all, sink
from tests.integration.loads import settle
from tests.integration.mosquitto import free_port

RESULTS = Path(__file__).parent / "results"
BINARY = shutil.which("prometheus-alertmanager")
PACKAGED = {"group_by": ["alertname", "cluster", "service"], "group_wait": "30s", "group_interval": "5m"}
AT_ONCE = {"group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
"""The route of the package's own file, and one that groups nothing and waits for nothing."""
BATCHES_S = 0.1
STARTED_WITHIN_S = 10.0


@dataclass(frozen=True)
class Trial:
    """One way to run Alertmanager: its route, how long to wait, and whether it is killed after the flood."""

    name: str
    route: dict[str, Any]
    wait_s: float
    restart: bool = False


@dataclass
class Figures:
    """What one of the two did with the flood; endless where a call never came."""

    name: str
    waits_s: list[float]
    webhooks: int
    told: str
    lost: str = "-"

    def row(self) -> str:
        """Return one line of the table."""
        shown = ", ".join(f"{wait:.2f}" if wait < 1e9 else "never" for wait in self.waits_s)
        return f"{self.name:34} {shown:42} {self.webhooks:>8} {self.told:40} {self.lost}"


def vaka(folder: Path, messages: list[Message]) -> Figures:
    """Send the flood through the listener, kill the gateway after it, and count what is there again."""
    alerts = sum(not one.sos for one in messages)
    sos = len(messages) - alerts
    with sink() as got, flooded_gateway(folder, alerts, sos, got.port) as process:
        seen = asyncio.run(send_all(process, messages))
        settle(process)
        process.kill()
        process.start()
        found = process.get("/api/v1/alerts?collapsed=true")["alerts"]
        hidden = sum(one["values"].get("hidden", 0) for one in found if one["rule"] == "flood")
        high = [one for one in found if one["severity"] == "high"]
        page = seen.waits_s()
        hooked = _hooked(got, seen.alert_of, seen.meant)
        told = f"{len(high)} single, {hidden} in 1 incident"
        lost = f"{alerts + sos - len(found) + 1} after kill -9"
        print(f"Vaka, live page: {', '.join(f'{wait * 1000:.0f} ms' for wait in page)}", flush=True)
    return Figures("Vaka, webhook", hooked, len(got.got), told, lost)


def _hooked(got: Sink, alert_of: dict[str, str], meant: dict[str, float]) -> list[float]:
    first: dict[str, float] = {}
    for at, words in got.got:
        first.setdefault(words["data"]["alert"], at)
    never = float("inf")
    return sorted(first.get(alert_of.get(name, ""), never) - at for name, at in meant.items())


@contextmanager
def alertmanager(folder: Path, route: dict[str, Any], webhook: int) -> Iterator[tuple[str, Any]]:
    """Run Alertmanager with one receiver, and yield its address and how to kill and start it again."""
    if BINARY is None:
        raise SystemExit("apt-get install prometheus-alertmanager")
    hook = {"url": f"http://127.0.0.1:{webhook}/", "send_resolved": False}
    config = {
        "route": {"receiver": "hook", "repeat_interval": "3h", **route},
        "receivers": [{"name": "hook", "webhook_configs": [hook]}],
    }
    (folder / "alertmanager.yml").write_text(json.dumps(config))  # JSON is YAML
    port = free_port()
    command = [
        *(BINARY, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'am'}"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error"),
    ]
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        deadline = time.monotonic() + STARTED_WITHIN_S
        while time.monotonic() < deadline:
            try:
                post(f"http://127.0.0.1:{port}/api/v2/alerts", [])
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise SystemExit("Alertmanager does not start")

    def again() -> None:
        running[-1].send_signal(signal.SIGKILL)
        running[-1].wait(10)
        start()

    start()
    try:
        yield f"http://127.0.0.1:{port}/api/v2/alerts", again
    finally:
        running[-1].terminate()
        running[-1].wait(10)


def beside(folder: Path, trial: Trial, messages: list[Message]) -> Figures:
    """Post the same alerts at the same pace; wait for every call, at most `wait_s` after the last one."""
    folder.mkdir()
    calls = {one.device for one in messages if one.sos}
    with sink() as got, alertmanager(folder, trial.route, got.port) as (url, again):
        start = time.time()
        meant = {one.device: start + one.at_s for one in messages if one.sos}
        for batch in _batches(messages):
            time.sleep(max(0.0, start + batch[-1].at_s - time.time()))
            post(url, [_alert(one) for one in batch])
        if trial.restart:
            again()
        end = time.time() + trial.wait_s
        while time.time() < end and not calls <= _told(got).keys():
            time.sleep(0.1)
        told = _told(got)
    waits = sorted(told.get(device, float("inf")) - at for device, at in meant.items())
    reached = len(told)
    lost = f"{len(messages) - reached} never told" if reached < len(messages) else "0"
    return Figures(trial.name, waits, len(got.got), f"{reached} of {len(messages)} told", lost)


def _batches(messages: list[Message]) -> Iterator[list[Message]]:
    batch: list[Message] = []
    for one in messages:
        if batch and one.at_s - batch[0].at_s > BATCHES_S:
            yield batch
            batch = []
        batch.append(one)
    yield batch


def _alert(one: Message) -> dict[str, Any]:
    labels = {"alertname": "device", "device": one.device, "severity": "high" if one.sos else "low"}
    return {"labels": labels, "startsAt": datetime.now(UTC).isoformat()}


def _told(got: Sink) -> dict[str, float]:
    """Return when each device's alert was first told."""
    first: dict[str, float] = {}
    for at, words in list(got.got):
        for alert in words["alerts"]:
            first.setdefault(alert["labels"]["device"], at)
    return first


def main() -> None:
    """Run all, print the table, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=5000)
    parser.add_argument("--sos", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--wait", type=float, default=330, help="longest wait for Alertmanager's last call")
    parser.add_argument("--runs", type=int, default=1, help="of Vaka")
    arguments = parser.parse_args()
    messages = schedule(arguments.alerts, arguments.sos, arguments.seconds)
    header = f"{'':34} {'seconds to each call for help':42} {'webhooks':>8} {'told':40} lost"
    print(header, flush=True)
    found: list[Figures] = []

    def show(figures: Figures) -> None:
        found.append(figures)
        print(figures.row(), flush=True)

    with tempfile.TemporaryDirectory(prefix="vaka-flood-") as directory:
        for number in range(arguments.runs):
            folder = Path(directory) / f"vaka-{number}"
            folder.mkdir()
            show(vaka(folder, messages))
        base, wait_s = Path(directory), arguments.wait
        trials = (
            Trial("Alertmanager, ungrouped, no wait", AT_ONCE, 60),
            Trial("Alertmanager, packaged, kill -9", PACKAGED, 45, restart=True),
            Trial("Alertmanager, packaged", PACKAGED, wait_s),
        )
        for number, trial in enumerate(trials):
            show(beside(base / f"beside-{number}", trial, messages))
    every = sorted(wait for one in found if one.name.startswith("Vaka") for wait in one.waits_s)
    p99_s = every[max(0, round(len(every) * 0.99) - 1)]
    print(f"Vaka: {len(every)} calls, p99 {p99_s * 1000:.0f} ms, goal 1000 ms")
    RESULTS.mkdir(exist_ok=True)
    kept = [vars(one) | {"waits_s": [min(wait, 1e9) for wait in one.waits_s]} for one in found]
    (RESULTS / "flood.json").write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
