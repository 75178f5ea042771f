"""Five bugs are put in on purpose: the swarm must find each, and make small what shows it."""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.contract import Changes, Store
from gateway.model.alert import Alert
from gateway.model.frame import Frame
from gateway.model.status import Timer
from gateway.pipeline import answer
from gateway.pipeline import state as pipeline_state
from gateway.pipeline.state import ALERT_OWNER, State
from gateway.pipeline.walk import Walk
from gateway.service.engine import Engine
from gateway.service.intake import Waiting
from simulators.faults.house import FailingHouse, FailingStore
from simulators.house import whole
from simulators.scenarios.build import Play
from simulators.scenarios.scenario import load_scenario
from simulators.swarm.run import make_house, run_once
from simulators.swarm.swarm import run_swarm

SEEDS = range(1, 31)
TRIALS = 40
Make = Callable[[Play, Path], FailingHouse]
Plant = Callable[[pytest.MonkeyPatch], Make]


class DropsTimers(Walk):
    """Takes every third due deadline of an alert for done, without doing what it is for."""

    def __init__(self, like: Walk) -> None:
        self.table, self.rules, self.channels = like.table, like.rules, like.channels
        self.fired = 0

    def _fire(self, state: State, timer: Timer, frame: Frame) -> None:
        self.fired += timer.owner == ALERT_OWNER
        if timer.owner != ALERT_OWNER or self.fired % 3:
            super()._fire(state, timer, frame)


def drop_a_timer(_patch: pytest.MonkeyPatch) -> Make:
    def make(play: Play, folder: Path) -> FailingHouse:
        setting = dataclasses.replace(play.setting, walk=DropsTimers(play.walk))
        return FailingHouse(setting, folder, play.faults)

    return make


class AcknowledgesFirst(Engine):
    """Tells senders before the commit, and nobody after it."""

    async def _commit(self, changes: Changes, group: Sequence[Waiting]) -> None:
        self._intake.tell(group)
        await super()._commit(changes, [(frame, None, 0) for frame, _, _ in group])


def acknowledge_before_fsync(patch: pytest.MonkeyPatch) -> Make:
    patch.setattr(whole, "Engine", AcknowledgesFirst)
    return make_house


def forget_the_lease(patch: pytest.MonkeyPatch) -> Make:
    taken = answer._taken

    def for_ever(state: State, alert: Alert, actor: str, eta: datetime | None) -> Alert:
        return replace(taken(state, alert, actor, eta), deadline=state.now + timedelta(days=365))

    patch.setattr(answer, "_taken", for_ever)
    return make_house


def merge_two_persons(patch: pytest.MonkeyPatch) -> Make:
    """Whatever is open of a rule counts as the same, whoever it is about."""

    def of_anybody(state: State, rule: str, _subject: str, _home: str, _person: str | None) -> Alert | None:
        found = state._open.get((rule, "", "", None))
        return None if found is None else state.alerts[found]

    patch.setattr(pipeline_state, "_episode", lambda alert: (alert.rule, "", "", None))
    patch.setattr(State, "open_alert", of_anybody)
    return make_house


class LosesQuarantine(FailingStore):
    """Keeps the remark that a frame was put aside, and not the frame."""

    def commit(self, changes: Changes, cursor: int) -> None:
        changes.quarantine = []
        super().commit(changes, cursor)


class ForgetfulHouse(FailingHouse):
    """The gateway over that store."""

    def open_store(self) -> Store:
        return LosesQuarantine(self.folder / "state.db", self.script)


def lose_a_quarantine(_patch: pytest.MonkeyPatch) -> Make:
    return lambda play, folder: ForgetfulHouse(play.setting, folder, play.faults)


MOST = 3
"""Happenings and faults that are left at most, of up to fifteen."""
BUGS: list[tuple[Plant, set[str]]] = [
    (drop_a_timer, {"nobody is forgotten", "replay equals live"}),
    (acknowledge_before_fsync, {"accepted is kept"}),
    (forget_the_lease, {"every lease ends"}),
    (merge_two_persons, {"persons are never merged"}),
    (lose_a_quarantine, {"quarantine keeps the bytes"}),
]
"""The bug, and the invariants of which one must name it; replay alone sees what was closed all the same."""


@pytest.mark.parametrize(("plant", "invariants"), BUGS, ids=lambda one: getattr(one, "__name__", ""))
def test_the_swarm_finds_a_bug_and_makes_it_small(
    plant: Plant, invariants: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        make = plant(patch)
        tally = run_swarm(SEEDS, make=make, out=tmp_path, most_failures=1, trials=TRIALS)
        (failure,) = tally.failures
        kept = load_scenario(tmp_path / f"seed-{failure.seed}.toml")
        again = run_once(kept, make)

    assert invariants & {one.invariant for one in failure.broken}
    assert invariants & again.names
    assert len(kept.happens) + len(kept.fault) <= MOST
    assert run_once(kept).broken == []
