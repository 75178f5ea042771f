"""The dashboards name metrics and labels that the tap of figures writes, and no others."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from test_points import NOW, Log, event, written

from gateway.model.alert import AlertEntry, AlertType, Severity
from gateway.model.vocabulary import HealthValues

BOARDS = sorted((Path(__file__).parents[3] / "deploy" / "grafana").glob("*.json"))


def known() -> tuple[set[str], set[str]]:
    """Return the metrics and labels of two points: as VictoriaMetrics names them, measurement_field."""
    values = HealthValues(battery_percent=50.0, link_quality=80.0)
    entry = AlertEntry(
        alert="a1", version=1, at=NOW, action="raised", actor="r", frame=2,
        severity=Severity.HIGH, type=AlertType.PERSON,
    )  # fmt: skip
    timeless = [event(frame, told=None, values=values) for frame in (1, 1)]
    metrics, labels = set(), set()
    for line in written(Log([event(1, key="other", values=values), *timeless], [entry]), [10]):
        head, fields, _ = line.text.split(" ")
        measurement, *tags = head.split(",")
        labels |= {tag.split("=")[0] for tag in tags}
        metrics |= {f"{measurement}_{field.split('=')[0]}" for field in fields.split(",")}
    return metrics, labels | {"tenant"}


def asked(path: Path) -> list[str]:
    board: dict[str, Any] = json.loads(path.read_text())
    found = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return found + [one["definition"] for one in board["templating"]["list"] if "definition" in one]


def test_there_are_two() -> None:
    assert [path.stem for path in BOARDS] == ["alerts", "fleet"]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_metric_and_label_of_a_dashboard_is_written_by_the_tap(path: Path) -> None:
    metrics, labels = known()
    for query in asked(path):
        named = set(re.findall(r"\bvaka_\w+", query))
        assert named
        assert named <= metrics, query
        used = set(re.findall(r"(\w+)\s*=~?\"", query))
        used |= {one.strip() for part in re.findall(r"by \(([^)]*)\)", query) for one in part.split(",")}
        assert used <= labels, query


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_have_a_name_a_place_and_an_id_of_their_own(path: Path) -> None:
    panels = json.loads(path.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
