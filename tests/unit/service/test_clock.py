from datetime import UTC, datetime, timedelta

import pytest

from gateway.service import clock as module
from gateway.service.clock import FastClock, SystemClock


class Wall(datetime):
    """A wall clock that a test sets."""

    shown = datetime(2026, 11, 22, 12, tzinfo=UTC)

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        del tz
        return cls.shown


def test_a_wall_set_back_an_hour_neither_turns_the_clock_back_nor_stops_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed = [100.0]
    monkeypatch.setattr(module, "datetime", Wall)
    monkeypatch.setattr(module.time, "monotonic", lambda: passed[0])
    clock = SystemClock()
    before = clock.now()
    Wall.shown -= timedelta(hours=1)
    passed[0] += 60
    after = clock.now()
    assert after - before == timedelta(seconds=54)
    assert clock.wait_s(after + timedelta(seconds=10)) == 10
    Wall.shown += timedelta(hours=2)
    assert clock.now() == Wall.shown


def test_a_wall_set_back_between_two_runs_does_not_put_deadlines_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed = [100.0]
    monkeypatch.setattr(module, "datetime", Wall)
    monkeypatch.setattr(module.time, "monotonic", lambda: passed[0])
    clock, reached = SystemClock(), Wall.shown + timedelta(days=365)
    clock.not_before(reached)
    assert clock.wait_s(reached + timedelta(seconds=60)) == 60
    passed[0] += 60
    assert clock.now() - reached == timedelta(seconds=54)
    clock.not_before(reached)
    assert clock.now() - reached == timedelta(seconds=54), "never back"


def test_a_fast_clock_runs_as_many_times_as_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "time", lambda: 1010.0)
    start = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
    clock = FastClock(start, 1000.0, 60)
    assert clock.now() == start + timedelta(minutes=10)
    assert clock.wait_s(start + timedelta(minutes=11)) == pytest.approx(1.0)
    assert clock.wait_s(start) == 0
