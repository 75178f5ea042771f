"""Crew: what the people of a recording did with each alert, and what they would have done with another."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median

import msgspec

from gateway.model.alert import Outcome, Severity
from gateway.recording.form import AlertLine, AnswerLine, EntryLine, Line, ReceiptLine

SAME_EPISODE = timedelta(hours=6)
"""Alerts of one rule about one person further apart than this are two episodes, whatever the rules are."""
SAME_TIME = timedelta(seconds=5)
"""What was raised so near to when it was in the recording is answered at the times of the recording."""
SHOWN, TAKEN, THERE, DONE = "shown", "accepted", "on_site", "closed"
ANSWERED = (TAKEN, THERE, DONE)
DISPLAYED = frozenset({"shown", "displayed"})
"""States of a proof that mean that somebody's page or phone showed it."""
Key = tuple[str, str, str]
"""Rule, home, and person or device: what two alerts of one episode have in common."""


class Episode(msgspec.Struct):
    """One recorded alert, its answers and which deliveries of it have a proof."""

    ref: str
    key: Key
    subject: str
    device: str
    severity: Severity
    raised_at: datetime
    answers: list[AnswerLine] = []
    proved: set[tuple[str, str]] = set()
    """Recipient and channel."""
    after_s: dict[str, float] = {}
    """When it was first accepted, on site and closed, in seconds after it was raised."""
    outcome: str = ""


class Habit(msgspec.Struct, frozen=True):
    """What people mostly do with alerts of one severity, as seconds after they are raised; None for never."""

    shown_s: float | None
    taken_s: float | None
    there_s: float | None
    done_s: float | None
    outcome: Outcome


class Crew:
    """Everything that people did in a recording, held whole: it grows with the alerts, not the frames."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.episodes: dict[str, Episode] = {}
        self._by_key: dict[Key, list[Episode]] = {}
        for line in lines:
            self._take(line)
        self._habits = {severity: self._habit(severity) for severity in Severity}

    def habit(self, severity: Severity) -> Habit | None:
        """Return the habit for a severity, or that for all where none such was answered; None without any."""
        return self._habits[severity] or self._habit(None)

    def twins(self, key: Key, raised_at: datetime, subject: str, device: str) -> list[Episode]:
        """Return the recorded alerts of that episode, the likeliest first."""
        near = [one for one in self._by_key.get(key, ()) if abs(one.raised_at - raised_at) <= SAME_EPISODE]
        return sorted(
            near,
            key=lambda one: (
                bool(one.subject) and one.subject != subject,
                one.device != device,
                abs(one.raised_at - raised_at),
            ),
        )

    def _take(self, line: Line) -> None:
        if isinstance(line, AlertLine):
            episode = Episode(
                ref=line.ref,
                key=(line.rule, line.home, line.person or line.device),
                subject=line.subject,
                device=line.device,
                severity=line.severity,
                raised_at=line.raised_at,
            )
            self.episodes[line.ref] = episode
            self._by_key.setdefault(episode.key, []).append(episode)
            return
        if isinstance(line, EntryLine):
            known = self.episodes.get(line.ref)
            if known is not None and line.action in ANSWERED:
                known.after_s.setdefault(line.action, (line.at - known.raised_at).total_seconds())
                known.outcome = line.outcome or known.outcome
        elif isinstance(line, AnswerLine | ReceiptLine):
            known = self.episodes.get(line.alert)
            if known is None:
                return
            if isinstance(line, AnswerLine):
                known.answers.append(line)
            else:
                known.proved.add((line.recipient, line.channel))
                if line.state in DISPLAYED:
                    known.after_s.setdefault(SHOWN, (line.at - known.raised_at).total_seconds())

    def _habit(self, severity: Severity | None) -> Habit | None:
        """Return the medians; a stage that less than half of those taken came to is left out."""
        seen = [one for one in self.episodes.values() if severity in {None, one.severity}]
        taken = [one for one in seen if any(stage in one.after_s for stage in ANSWERED)]
        if not taken:
            return None
        usual: dict[str, float | None] = {}
        for stage in (SHOWN, *ANSWERED):
            times = [one.after_s[stage] for one in taken if stage in one.after_s]
            usual[stage] = median(times) if len(times) * 2 >= len(taken) else None
        outcomes = [one.outcome for one in taken if one.outcome]
        commonest = max(sorted(set(outcomes)), key=outcomes.count, default=Outcome.REAL.value)
        return Habit(usual[SHOWN], usual[TAKEN], usual[THERE], usual[DONE], Outcome(commonest))
