"""A scenario run in process at full speed: a night in seconds, and what came of it."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec.structs import replace

from gateway.contract.errors import ConfigurationError
from gateway.model.frame import Frame, Transport
from simulators.driving.account import Account, Spread
from simulators.driving.levels import STATE_FILE, Level, make_gateway
from simulators.outputs import Step
from simulators.scenarios.build import Outcome, Play, make_walk
from simulators.scenarios.evidence import Evidence, read_evidence
from simulators.scenarios.expected import unmet
from simulators.swarm.invariants import violations
from simulators.swarm.run import MEMORY

SUMMARY_FILE = "summary.json"

FILED_HOMES = 1000
"""Up to so many homes the core alone keeps files too, in which is looked for what must hold."""

Progress = Callable[[float], None]
"""Hears which share of the scenario is done, from 0 to 1."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run; the same scenario, seed, level and version give the same digest."""

    scenario: str
    seed: int
    level: Level
    begins: datetime
    hours: float
    homes: int
    devices: int
    frames: int
    events: int
    alerts: int
    by_rule: Mapping[str, Mapping[str, int]]
    displayed: Spread | None
    accepted: Spread | None
    on_site: Spread | None
    crashes: int
    not_met: list[str]
    broken: list[str] | None
    digest: str
    took_s: float

    @property
    def speed_up(self) -> float:
        """How many times faster than the clock on the wall it ran."""
        return self.hours * 3600 / max(self.took_s, 1e-9)

    @property
    def good(self) -> bool:
        """Everything came that the scenario expects, and every invariant holds."""
        return not (self.not_met or self.broken)


class Run:
    """One run of a play: `account` has what was committed, `outcome` what the play itself noted."""

    def __init__(self, play: Play, level: Level, folder: Path | None = None) -> None:
        self.play, self.level, self.folder = play, level, folder
        self.account = Account()
        self.outcome: Outcome | None = None
        self.broken: list[str] | None = None
        self.not_met: list[str] = []
        self.took_s = 0.0

    def run(self, progress: Progress | None = None, remark: Callable[[Step], None] | None = None) -> None:
        """Play it to its end; `remark` hears what devices do."""
        with _folder(self.folder) as folder:
            began = time.perf_counter()
            few = len(self.play.world.document.home) <= FILED_HOMES
            gateway = make_gateway(self.play, self.level, folder, filed=few or self.folder is not None)
            gateway.committed = self.account.take
            try:
                self.outcome = self.play.run(gateway, self._told(progress, remark))
            finally:
                gateway.close()
            self.took_s = time.perf_counter() - began
            if (folder / STATE_FILE).exists():
                evidence = self._evidence(folder)
                self.broken = [str(one) for one in violations(make_walk(), evidence)]
                self.not_met = unmet(self.play.scenario.expect, evidence)

    def _evidence(self, folder: Path) -> Evidence:
        """Read what the run left; behind a broker only the topic says who sent a message."""
        found = read_evidence(self.play, folder)
        if self.level == "broker":
            found.frames = {at: _of_topic(frame) for at, frame in found.frames.items()}
        return found

    def _told(
        self, progress: Progress | None, remark: Callable[[Step], None] | None
    ) -> Callable[[Step], None] | None:
        begins, whole_s = self.play.start, (self.play.until - self.play.start).total_seconds()
        if progress is None and remark is None:
            return None

        def told(step: Step) -> None:
            if progress is not None:
                progress((step.at - begins).total_seconds() / whole_s)
            if remark is not None:
                remark(step)

        return told

    def summary(self) -> Summary:
        """Return what came of it; `broken` is None where there are no files in which to look."""
        play, account = self.play, self.account
        return Summary(
            scenario=play.scenario.name,
            seed=play.seed,
            level=self.level,
            begins=play.start,
            hours=round((play.until - play.start) / timedelta(hours=1), 4),
            homes=len(play.world.document.home),
            devices=len(play.world.devices),
            frames=account.frames,
            events=account.events,
            alerts=len(account.alerts),
            by_rule=account.by_rule(),
            displayed=account.spread("displayed"),
            accepted=account.spread("accepted"),
            on_site=account.spread("on_site"),
            crashes=self.outcome.crashes if self.outcome else 0,
            not_met=self.not_met,
            broken=self.broken,
            digest=account.digest,
            took_s=round(self.took_s, 3),
        )


def lines(summary: Summary) -> Iterator[str]:
    """Say a summary for people."""
    yield (
        f"{summary.scenario}, seed {summary.seed}, level {summary.level}: {summary.hours:g} h of "
        f"{summary.homes} homes, {summary.devices} devices"
    )
    for rule, counts in summary.by_rule.items():
        shown = ", ".join(f"{count} {severity}" for severity, count in counts.items())
        yield f"  {rule:28} {shown}"
    yield f"{summary.alerts} alerts from {summary.events} events in {summary.frames} frames"
    for word, spread in (
        ("displayed", summary.displayed),
        ("accepted", summary.accepted),
        ("on site", summary.on_site),
    ):
        if spread is not None:
            yield (
                f"  first {word:10} p50 {spread.p50_s:.1f} s, p99 {spread.p99_s:.1f} s, "
                f"longest {spread.longest_s:.1f} s ({spread.alerts} alerts)"
            )
    yield from (f"  not as expected: {line}" for line in summary.not_met)
    yield from (f"  invariant broken: {line}" for line in summary.broken or ())
    if summary.good:
        looked = (
            "and every invariant holds"
            if summary.broken is not None
            else "invariants not looked for (no files)"
        )
        yield f"  as expected, {looked}"
    rate = summary.events / max(summary.took_s, 1e-9)
    yield f"{summary.took_s:.2f} s: {summary.speed_up:,.0f} times real time, {rate:,.0f} events/s"
    yield f"digest {summary.digest}"


def as_json(summary: Summary) -> str:
    """Write a summary for programs, with the speed-up worked out."""
    shown = msgspec.to_builtins(summary) | {"speed_up": round(summary.speed_up, 1), "good": summary.good}
    return json.dumps(shown, indent=1, default=str)


def _of_topic(frame: Frame) -> Frame:
    parts = frame.channel.split("/")
    known = frame.transport is Transport.MQTT and len(parts) == 5
    return replace(frame, source="/".join(parts[2:4])) if known else frame


def empty_folder(folder: Path) -> Path:
    """Make the folder that shall keep a run; ConfigurationError where one is kept already."""
    if (folder / STATE_FILE).exists():
        raise ConfigurationError(f"out: found {folder / STATE_FILE}; allowed: a folder without a run")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder}: cannot be made: {error.strerror}") from error
    return folder


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        yield wanted
        return
    parent = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="vaka-sim-", dir=parent) as made:
        yield Path(made)
