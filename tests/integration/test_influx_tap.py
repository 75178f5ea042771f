import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.influx_outage import outage
from tests.integration.loads import make_town
from tests.integration.victoria import Victoria

EVENTS = int(os.environ.get("INFLUX_EVENTS", "8000"))
pytestmark = [pytest.mark.victoria, pytest.mark.slow]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Victoria]:
    found = Victoria(tmp_path)
    yield found
    found.stop()


def test_an_outage_of_the_server_and_two_kills_of_the_gateway_lose_nothing_and_double_nothing(
    tmp_path: Path, server: Victoria
) -> None:
    town = make_town(tmp_path)
    found = outage(town, server, events=EVENTS, rate=1000, away_s=4)
    assert found["events_on_the_server"] == EVENTS
    assert found["waiting_when_it_came_back"] > 0
    labels = {name for series in server.series('{__name__=~"vaka_.*"}') for name in series}
    allowed = {"__name__", "tenant", "kind", "type", "device", "home", "timed_by", "twin"}
    assert labels <= allowed | {"rule", "severity", "action", "phase"}
    metrics = {series["__name__"] for series in server.series('{__name__=~"vaka_.*"}')}
    assert not {name for name in metrics if "latitude" in name or "longitude" in name}
