from datetime import timedelta
from typing import Any

from gateway.model.alert import Severity
from gateway.replay.difference import pairs, rows, times
from gateway.replay.figures import AlertFigure
from gateway.replay.result import Result
from tests.unit.replay.kit import START


def alert(minute: float, rule: str = "fall", about: str = "p1", **more: Any) -> AlertFigure:
    severity = more.pop("severity", Severity.HIGH)
    at = START + timedelta(minutes=minute)
    return AlertFigure(rule=rule, about=about, severity=severity, worst=severity, raised_at=at, **more)


def whats(before: list[AlertFigure], after: list[AlertFigure]) -> list[str]:
    return [pair.what for pair in pairs(before, after)]


def test_the_same_alerts_are_no_difference() -> None:
    assert whats([alert(0), alert(600)], [alert(0), alert(600)]) == ["", ""]


def test_what_is_raised_within_seconds_is_the_same() -> None:
    assert whats([alert(0)], [alert(0.05)]) == [""]


def test_an_episode_at_another_time_is_earlier_or_later() -> None:
    assert whats([alert(10)], [alert(40)]) == ["later"]
    assert whats([alert(40)], [alert(10)]) == ["earlier"]


def test_another_day_is_another_episode() -> None:
    assert whats([alert(0)], [alert(24 * 60)]) == ["gone", "new"]


def test_another_person_or_rule_is_another_alert() -> None:
    assert sorted(whats([alert(0)], [alert(0, about="p2")])) == ["gone", "new"]
    assert sorted(whats([alert(0)], [alert(0, rule="sos")])) == ["gone", "new"]


def test_one_at_the_same_time_is_never_taken_for_one_that_moved() -> None:
    """A new alert shortly before must not take the place of the one that stayed."""
    found = pairs([alert(60)], [alert(50), alert(60)])

    assert [pair.what for pair in found] == ["new", ""]


def test_one_that_became_more_severe_is_told_as_that() -> None:
    assert whats([alert(0, severity=Severity.MEDIUM)], [alert(0)]) == ["severity"]


def test_the_table_counts_each_alert_in_its_row() -> None:
    before = [alert(0), alert(600), alert(0, rule="sos"), alert(0, rule="late", severity=Severity.LOW)]
    after = [alert(5), alert(1200), alert(0, rule="sos"), alert(0, rule="late", severity=Severity.MEDIUM)]

    table = {(row.rule, row.severity): row for row in rows(pairs(before, after))}

    fall = table["fall", "high"]
    assert (fall.before, fall.after, fall.new, fall.gone, fall.later) == (2, 2, 1, 1, 1)
    assert (table["sos", "high"].difference, table["sos", "high"].later) == (0, 0)
    assert (table["late", "low"].difference, table["late", "medium"].difference) == (-1, 1)
    assert table["late", "medium"].other_severity == 1


def test_half_and_nine_in_ten_are_told_by_severity() -> None:
    alerts = [alert(n, taken_s=float(n), climbs=1, done_s=9.0) for n in range(1, 11)]
    result = Result(
        recording="",
        gateway="",
        changed=(),
        since=START,
        until=START,
        frames=0,
        alerts=(*alerts, alert(99)),
        loads={},
        judged=(),
        recorded_alerts=0,
        came_again=0,
    )

    (high,) = times(result)

    assert (high.taken_s, high.there_s, high.done_s) == ((5.0, 9.0), None, (9.0, 9.0))
    assert (high.alerts, high.never, high.climbs) == (11, 1, 10)
