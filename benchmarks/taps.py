"""Taps beside the alert path: `python -m benchmarks.taps`, as ratios of one run.

The latency from a publish's intended moment to the alert on a live page at 100 events/s: without taps, with
all of them carrying to receivers that answer, and with one more whose receiver accepts and never answers.
A round counts only when every tap that has a living receiver carried something and caught up.
The rounds take turns, so that what else the machine does falls on all alike. The receivers stand for other
machines: they are less urgent to the scheduler than the gateway, whose own taps are not helped by that.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response

from benchmarks.page import latencies
from benchmarks.run import broker, town
from simulators.standins.care import CareStandIn
from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import free_port, wait_for
from tests.integration.victoria import Victoria

RESULTS = Path(__file__).parent / "results"
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
RATE = 100
DEAD = "dead"
LIVING = {"influx", "hook", "bus", "care-http", "care-fhir", "care-file", "fhir"}
CAUGHT_UP_WITHIN_S = 120.0
CASES = ("no taps", "all taps", "all taps, one dead")


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=10, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--homes", type=int, default=200)
    parser.add_argument("--receive", type=int, help="be the receivers at this port")
    arguments = parser.parse_args()
    if arguments.receive:
        receive(arguments.receive)
        return
    found: dict[str, list[float]] = {case: [] for case in CASES}
    for _ in range(arguments.rounds):
        for case in CASES:
            with tempfile.TemporaryDirectory(prefix="vaka-bench-") as folder:
                found[case] += once(town(Path(folder), arguments.homes), case, arguments.seconds)
    figures = {case: _figures(found[case]) for case in CASES}
    for case, told in figures.items():
        told["ratio_p50"] = told["p50_ms"] / figures["no taps"]["p50_ms"]
        told["ratio_p99"] = told["p99_ms"] / figures["no taps"]["p99_ms"]
        print(f"{case:20}", "  ".join(f"{key} {value:,.2f}" for key, value in told.items()), flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "taps.json").write_text(json.dumps(figures, indent=1))


def once(folder: Path, case: str, seconds: int) -> list[float]:
    """Return the milliseconds of each alert."""
    with ExitStack() as stack:
        settings = {} if case == "no taps" else stack.enter_context(_receivers(folder, "dead" in case))
        gateway = GatewayProcess(folder, registry=str(folder / "registry.toml"), **settings)
        gateway.start()
        stack.callback(gateway.stop)
        url = gateway.url
        found = latencies(gateway.page_port, url, folder, rate=RATE, seconds=seconds)
        if settings:
            wait_for(lambda: _carried(gateway), CAUGHT_UP_WITHIN_S)
        return found


def _carried(gateway: GatewayProcess) -> bool:
    """Tell whether every tap but the dead one has carried alerts and is nearly where the journal is."""
    told = gateway.get("/api/v1/taps")
    if {tap["name"] for tap in told} - {DEAD} != LIVING:
        raise SystemExit(f"taps: {told}")
    return all(tap["entries"] and tap["behind_frames"] < RATE for tap in told if tap["name"] != DEAD)


@contextmanager
def _receivers(folder: Path, dead: bool) -> Iterator[dict[str, Any]]:  # noqa: FBT001 - told by its case
    """Yield the settings of all kinds of taps, their receivers running."""
    server, drop = Victoria(folder), folder / "drop"
    drop.mkdir()
    with ExitStack() as stack:
        with _less_urgent():
            bus, url = stack.enter_context(broker(folder)), stack.enter_context(_hook())
            server.start()
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        hooks = [
            {"name": "hook", "url": f"{url}/hook", "secret": SECRET},
            {"name": "bus", "url": bus},
        ]
        if dead:
            port = silent.getsockname()[1]
            hooks.append({"name": DEAD, "url": f"http://127.0.0.1:{port}/", "secret": SECRET})
        try:
            yield {
                "taps.influx": [{"url": server.url}],
                "taps.cloudevents": hooks,
                "taps.care": [
                    {"name": "care-http", "kind": "http", "url": f"{url}/care"},
                    {"name": "care-fhir", "kind": "fhir", "url": f"{url}/care/fhir"},
                    {"name": "care-file", "kind": "file", "folder": str(drop)},
                ],
                "taps.fhir": [{"url": f"{url}/other/fhir"}],
            }
        finally:
            server.stop()


@contextmanager
def _less_urgent() -> Iterator[None]:
    """Start processes that shall have what the measured ones leave; they inherit it."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, before + 10)
    try:
        yield
    finally:
        with suppress(PermissionError):  # only root becomes urgent again; else who measures is slower
            os.setpriority(os.PRIO_PROCESS, 0, before)


@contextmanager
def _hook() -> Iterator[str]:
    """Run the receivers by HTTP in a process of their own, so that they take no time from who measures."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.taps", "--receive", str(port)])
    try:
        wait_for(lambda: _answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def receive(port: int) -> None:
    """Be a webhook's receiver, a care system and another FHIR server, until it is ended."""
    app = FastAPI(openapi_url=None)

    @app.post("/hook")
    async def take(request: Request) -> Response:
        await request.body()
        return Response(status_code=204)

    app.mount("/care", CareStandIn().app)
    app.mount("/other", CareStandIn().app)
    uvicorn.run(app, port=port, log_config=None, access_log=False)


def _figures(found: list[float]) -> dict[str, float]:
    if len(found) < 2:
        raise SystemExit("the page showed no alerts: nothing was measured")
    return {
        "alerts": len(found),
        "p50_ms": statistics.median(found),
        "p99_ms": statistics.quantiles(found, n=100)[98],
    }


if __name__ == "__main__":
    main()
