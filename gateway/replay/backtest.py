"""Back-test: a recording run as it was and as it would have been, side by side in two processes."""

import gc
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

import msgspec

from gateway.contract import Rule
from gateway.pipeline.walk import Walk
from gateway.recording.file import Progress, Recording
from gateway.recording.form import AlertLine, Line
from gateway.replay.crew import Crew
from gateway.replay.result import Made, Result, result_of
from gateway.replay.rulesets import Change, RuleSet, as_recorded, changed
from gateway.replay.run import Run, Script, play
from gateway.replay.seen import Seen

COLLECT_AFTER = 50_000
"""Objects made before Python looks for circles: a run makes many that live on, and hardly a circle."""


@dataclass(frozen=True)
class Job:
    """One run that is wanted: its rules, what is said to be changed, and whether shadow rules are judged."""

    rules: RuleSet
    changed: tuple[str, ...] = ()
    shadows: bool = False
    recorded_ticks: bool = False


@dataclass(frozen=True)
class Asked:
    """What is asked of a recording: by which version, with which configured rules, and what is tried."""

    path: Path
    gateway: str
    folder: Path | None
    change: Change


class BackTest:
    """Reads a recording once to see that it is whole and what people did, and then once for each run."""

    def __init__(self, path: Path, gateway: str, progress: Progress | None) -> None:
        self.recording = Recording(path)
        self._gateway, self._progress = gateway, progress
        self._recorded: list[tuple[str, str, datetime]] = []
        self.crew = Crew(self._heard())
        self.sha256 = self.recording.sha256

    def run(self, job: Job) -> Result:
        """Walk the recording; VakaError if the walk fails."""
        header = self.recording.header
        rules: list[Rule] = list(job.rules.rules) if job.shadows else job.rules.without_shadow()
        script = Script(job.rules.numbers, job.recorded_ticks)
        made = Made(header, self.sha256, self._gateway, job.changed, tuple(self._recorded))
        with Seen() as seen, _seldom_collected():
            run = Run(Walk((), rules, header.channels), header, self.crew, script, seen)
            figures = play(run, self.recording.inputs(self._progress, ticks=job.recorded_ticks), header)
        found = result_of(made, figures, run.state.registry, rules, job.rules.entries)
        return msgspec.structs.replace(found, frames=self.recording.frames)

    def _heard(self) -> Iterator[Line]:
        since = self.recording.header.since
        for line in self.recording.examine(self._progress):
            if isinstance(line, AlertLine) and line.raised_at >= since:
                self._recorded.append((line.rule, line.person or line.device, line.raised_at))
            yield line


def as_it_was(asked: Asked) -> Result:
    """Run a recording with the rules of then; a function of plain values, so that a process can do it."""
    test = BackTest(asked.path, asked.gateway, None)
    return test.run(Job(as_recorded(test.recording.header.active, asked.folder)))


def compare(asked: Asked, progress: Progress) -> tuple[Result, Result | None, tuple[str, ...]]:
    """Return the run as it was and, where something is tried, as it would have been, and notes on both.

    Without anything to try there is one run, in which the rules in shadow are judged.
    """
    test = BackTest(asked.path, asked.gateway, progress)
    active = test.recording.header.active
    then = as_recorded(active, asked.folder)
    if not asked.change.told:
        return test.run(Job(then, shadows=True)), None, then.notes
    now = changed(then, active, asked.folder, asked.change)
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        before: Future[Result] = other.submit(as_it_was, asked)
        after = test.run(Job(now, asked.change.told, shadows=asked.change.shadows))
        return before.result(), after, now.notes


@contextmanager
def _seldom_collected() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
