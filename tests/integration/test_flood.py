"""A flood through the real listener: calls for help come first, each by itself; the rest is one incident."""

import asyncio
from pathlib import Path

from tests.integration.flooding import flooded_gateway, schedule, send_all, sink
from tests.integration.loads import settle

ALERTS, SOS, SECONDS = 400, 5, 2.0
LONGEST_S = 3.0
"""For a machine with other work; the figure itself is measured by benchmarks/flood.py."""


def test_calls_for_help_in_a_flood_are_offered_one_by_one_and_the_rest_is_an_incident(
    tmp_path: Path,
) -> None:
    with sink() as got, flooded_gateway(tmp_path, ALERTS, SOS, got.port) as process:
        seen = asyncio.run(send_all(process, schedule(ALERTS, SOS, SECONDS)))
        settle(process)
        alerts = process.get("/api/v1/alerts")["alerts"]
        all_of_them = process.get("/api/v1/alerts?collapsed=true")["alerts"]
        (incident,) = [alert for alert in alerts if alert["rule"] == "flood"]
        behind = process.get(f"/api/v1/alerts/{incident['id']}/incident")
    assert max(seen.waits_s()) < LONGEST_S
    assert sorted(alert["rule"] for alert in alerts) == ["flood"] + ["sos"] * SOS
    assert {alert["incident"] for alert in alerts} == {""}
    assert (incident["count"], incident["values"]["hidden"], behind["hidden"]) == (ALERTS, ALERTS, ALERTS)
    assert len(all_of_them) == ALERTS + SOS + 1
    assert sum(cause["count"] for cause in behind["causes"]) == ALERTS
    high = [words["data"]["alert"] for _, words in got.got if words["data"]["class"] == "high"]
    assert set(high) == set(seen.alert_of.values())
    assert len(got.got) < 40, "ten or so before it is a flood, the incident, and the calls"
