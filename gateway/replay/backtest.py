"""Back-test: a recording run as it was and as it would have been, and both results."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from gateway.contract import Rule
from gateway.pipeline.walk import Walk
from gateway.recording.file import Progress, Recording
from gateway.recording.form import AlertLine, Line
from gateway.replay.crew import Crew
from gateway.replay.result import Made, Result, result_of
from gateway.replay.rulesets import RuleSet
from gateway.replay.run import Run, Script, play
from gateway.replay.seen import Seen


@dataclass(frozen=True)
class Job:
    """One run that is wanted: its rules, what is said to be changed, and whether shadows are judged."""

    rules: RuleSet
    changed: tuple[str, ...] = ()
    shadows: bool = False
    recorded_ticks: bool = False


class BackTest:
    """Reads a recording once to see that it is whole and what people did, and then once for each run."""

    def __init__(self, path: Path, gateway: str, progress: Progress) -> None:
        self.recording = Recording(path)
        self._gateway, self._progress = gateway, progress
        self._recorded: list[tuple[str, str, datetime]] = []
        self.frames = 0
        self.crew = Crew(self._heard())
        self.sha256 = self.recording.sha256

    def run(self, job: Job) -> Result:
        """Walk the recording; VakaError if the walk fails."""
        header = self.recording.header
        rules: list[Rule] = list(job.rules.rules) if job.shadows else job.rules.without_shadow()
        script = Script(job.rules.numbers, job.recorded_ticks)
        made = Made(header, self.sha256, self._gateway, job.changed, tuple(self._recorded))
        with Seen() as seen:
            run = Run(Walk((), rules, header.channels), header, self.crew, script, seen)
            figures = play(run, self.recording.inputs(self._progress), header)
        found = result_of(made, figures, run.state.registry, rules, job.rules.entries)
        return msgspec.structs.replace(found, frames=run.frames)

    def _heard(self) -> Iterator[Line]:
        since = self.recording.header.since
        for line in self.recording.examine(self._progress):
            if isinstance(line, AlertLine) and line.raised_at >= since:
                self._recorded.append((line.rule, line.person or line.device, line.raised_at))
            yield line
