"""Taps beside the alert path: `python -m benchmarks.taps`, as ratios of one run.

The latency from a publish's intended moment to the alert on a live page at 100 events/s: without taps, with
all of them carrying to receivers that answer, and with one more whose receiver accepts and never answers.
The rounds take turns, so that what else the machine does falls on all alike.
"""

import argparse
import json
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
from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import free_port, wait_for
from tests.integration.victoria import Victoria

RESULTS = Path(__file__).parent / "results"
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
RATE = 100
CASES = ("no taps", "all taps", "all taps, one dead")


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=10, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--homes", type=int, default=200)
    parser.add_argument("--receive", type=int, help="be the receiver of webhooks at this port")
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
        url = f"mqtt://127.0.0.1:{gateway.listener_port}"
        return latencies(gateway.page_port, url, folder, rate=RATE, seconds=seconds)


@contextmanager
def _receivers(folder: Path, dead: bool) -> Iterator[dict[str, Any]]:  # noqa: FBT001 - told by its case
    """Yield the settings of all kinds of taps, their receivers running."""
    server = Victoria(folder)
    with broker(folder) as bus, _hook() as url, socket.create_server(("127.0.0.1", 0)) as silent:
        server.start()
        hooks = [
            {"name": "hook", "url": f"{url}/hook", "secret": SECRET},
            {"name": "bus", "url": bus},
        ]
        if dead:
            port = silent.getsockname()[1]
            hooks.append({"name": "dead", "url": f"http://127.0.0.1:{port}/", "secret": SECRET})
        try:
            yield {"taps.influx": [{"url": server.url}], "taps.cloudevents": hooks}
        finally:
            server.stop()


@contextmanager
def _hook() -> Iterator[str]:
    """Run a receiver in a process of its own, so that it takes no time from who measures."""
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
    """Take whatever is posted to `/hook`, until it is ended."""
    app = FastAPI(openapi_url=None)

    @app.post("/hook")
    async def take(request: Request) -> Response:
        await request.body()
        return Response(status_code=204)

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
