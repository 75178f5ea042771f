"""The tap of figures through a long outage: `python -m benchmarks.influx_outage --minutes 10`.

1,000 events a second come in all the while. The server (Debian's VictoriaMetrics) is stopped for so many
minutes, the gateway is killed (kill -9) in the middle of them and again in the middle of the back-fill.
It ends with an error unless the server then holds each event and each line of history exactly once.
"""

import argparse
import json
import tempfile
from pathlib import Path

from tests.integration.influx_outage import outage
from tests.integration.loads import make_town
from tests.integration.victoria import Victoria

RESULTS = Path(__file__).parent / "results"
AROUND_S = 30
"""Seconds of load before and after the outage."""


def main() -> None:
    """Run it, print the figures, keep them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=1000)
    arguments = parser.parse_args()
    away_s = arguments.minutes * 60
    with tempfile.TemporaryDirectory(prefix="vaka-bench-") as name:
        folder = Path(name)
        server = Victoria(make_town(folder))
        try:
            events = int(arguments.rate * (away_s + AROUND_S))
            found = outage(
                folder, server, events=events, rate=arguments.rate, away_s=away_s, back_within_s=1800
            )
        finally:
            server.stop()
    for key, value in found.items():
        print(f"{key:34} {value:,.1f}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "influx_outage.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
