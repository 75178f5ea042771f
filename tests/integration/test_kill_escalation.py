"""Killed with SIGKILL at random moments of an escalation: no deadline is lost, nobody is called twice.

Time is virtual, the files and the process are real: what was written by a process that was killed again
and again is compared with what one that was never killed writes from the same inputs.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from gateway.model.alert import AlertState
from gateway.model.frame import Transport
from tests.integration.escalation import run, same, told

KILLS = 200
FURTHER = 40
"""Frames that the last process walks in peace."""


@pytest.mark.slow
def test_killed_200_times_during_escalation_no_deadline_is_lost_and_nobody_is_called_twice(
    tmp_path: Path,
) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-m", "tests.integration.escalation", str(killed), str(KILLS), "20261122"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=240)
    lengths = json.loads(done.stdout)
    assert len(lengths) == KILLS
    until = lengths[-1] + FURTHER
    run(killed, until)
    run(whole, until)
    survived, undisturbed = told(killed), told(whole)
    frames, alerts, entries, deliveries, _ = survived
    for mine, theirs in zip(survived, undisturbed, strict=True):
        assert same(mine, theirs), "a kill changed what was done"
    ticks = sum(frame.transport is Transport.CLOCK for frame in frames)
    rings = Counter((one.alert, one.round, one.recipient, one.channel, one.attempt) for one in deliveries)
    assert max(rings.values()) == 1, "somebody was called twice for one ring"
    assert len({(entry.alert, entry.version) for entry in entries}) == len(entries)
    assert all(a.deadline for a in alerts if a.state is not AlertState.CLOSED)
    stopped = len(set(lengths))
    assert stopped > KILLS / 10, f"only {stopped} different places were killed at"
    assert ticks > 100
    print(  # noqa: T201 - the figures of the evidence
        f"\n{KILLS} kills at {stopped} places, {len(frames)} frames of which {ticks} deadlines, "
        f"{len(alerts)} alerts, {len(deliveries)} calls"
    )
