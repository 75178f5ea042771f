"""Run: a recording through the walk in virtual time, with the answers that people gave or would give."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any

import msgspec

from gateway.contract import Changes, VakaError
from gateway.model.alert import Alert, AlertState
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Frame, Transport
from gateway.model.synthetic import SYNTHETIC
from gateway.pipeline.receipt import AGAIN, SHOWN
from gateway.pipeline.rerun import FIRST_TICK, NONE_KNOWN, Rerun
from gateway.pipeline.walk import Walk
from gateway.recording.form import (
    KEPT,
    AnswerLine,
    DeviceLine,
    FrameLine,
    Header,
    PeopleLine,
    ReceiptLine,
    RegistryLine,
    TickLine,
    WatchLine,
)
from gateway.replay import frames
from gateway.replay.crew import DONE, SAME_TIME, Crew, Episode, Habit
from gateway.replay.figures import Figures
from gateway.replay.seen import Seen

RECORDED, HABIT = "recorded", "habit"
FIRST_OF_CREW = FIRST_TICK << 14
"""Position of the first answer that no recording holds."""
MISSED_BY = timedelta(seconds=1)


@dataclass(frozen=True)
class Script:
    """How a run differs from what was recorded: its rules are in its walk; `numbers` are others of theirs.

    With `recorded_ticks` timers fire when they did, as exactly as the gateway lived it; else when they
    are due, which is the only way that fits other rules too.
    """

    numbers: frames.Numbers = field(default_factory=dict)
    recorded_ticks: bool = False


class Run:
    """One run. Give it every input of the recording in order, and then `end` it."""

    def __init__(self, walk: Walk, header: Header, crew: Crew, script: Script, seen: Seen) -> None:
        self.figures = Figures(header.since)
        self._crew, self._script, self._seen = crew, script, seen
        self._rerun = Rerun(walk, self._told)
        self.state = self._rerun.state
        self._header = header
        self._alert_of: dict[str, str] = {}
        self._deliveries_of: dict[str, dict[str, str]] = {}
        self._shifted: set[str] = set()
        self._taken: set[str] = set()
        self._episode_of: dict[str, Episode] = {}
        self._agenda: list[tuple[datetime, int, _Act]] = []
        self._order = count()
        self._position = FIRST_OF_CREW

    def take(self, line: FrameLine) -> None:
        """Walk an input, after everything that was due before it; VakaError if the walk cannot."""
        try:
            if isinstance(line, TickLine):
                self._tick(line)
                return
            self._come_to(line.at)
            self._input(line)
        except Exception as error:
            told = f"the walk failed with {type(error).__name__}: {error}"
            raise VakaError(f"frame {line.n}: {told}") from error

    def end(self, until: datetime) -> Figures:
        """Let everything happen that is due by then, and return the figures."""
        self._come_to(until)
        self._rerun.flush()
        return self.figures

    # --- inputs ---

    def _tick(self, line: TickLine) -> None:
        """Take a start, at which what came due meanwhile fires; other ticks only where they are wanted."""
        if line.start or self._script.recorded_ticks:
            self._rerun.take(frames.of_tick(line))

    def _input(self, line: FrameLine) -> None:
        take = self._rerun.take
        if isinstance(line, DeviceLine):
            frame, decoded = frames.of_device(line)
            asked = self._rerun.walk.doubtful(self.state, [decoded])
            take(frame, decoded, self._seen.known(asked) if asked else NONE_KNOWN)
        elif isinstance(line, AnswerLine):
            self._answer(line)
        elif isinstance(line, ReceiptLine):
            self._receipt(line)
        elif isinstance(line, RegistryLine):
            take(frames.of_registry(line, self._script.numbers))
        elif isinstance(line, PeopleLine):
            take(frames.of_people(line))
        elif isinstance(line, WatchLine):
            take(frames.of_watch(line))

    def _answer(self, line: AnswerLine) -> None:
        """Let the recorded answer fall on the alert that is the recorded one here."""
        alert = self._alert_of.get(line.alert)
        if alert is None:
            return
        words = frames.words_of(line, self._alert_of.get(line.by, line.by))
        if self._closed_it(line):
            words |= self._as_seen(alert)
        self._say(alert, line.action, words, line.at, line.n)

    def _receipt(self, line: ReceiptLine) -> None:
        alert = self._alert_of.get(line.alert)
        if alert is None:
            return
        if line.state == SHOWN:
            payload, channel = line.recipient.encode(), f"{SHOWN}/{alert}"
        else:
            delivery = self._delivery(line, alert)
            if delivery is None:
                return
            payload, channel = b"", f"delivery/{line.state}/{delivery.id}"
            channel += f"/{AGAIN}" if line.again else ""
        self._rerun.take(Frame(Transport.RECEIPT, channel, payload, line.at, position=line.n))

    def _delivery(self, line: ReceiptLine, alert: str) -> Delivery | None:
        """Return the delivery that is the recorded one here; None for one that waits for no proof.

        Where references are kept it has its own id; else it is found once, by whom it went to and how.
        """
        known = self._deliveries_of.setdefault(alert, {})
        name = line.delivery if self._header.references == KEPT else known.get(line.delivery)
        if name is not None:
            return self.state.deliveries.get(name)
        like, taken = (line.recipient, line.channel, line.attempt), set(known.values())
        for one in self.state.deliveries_of(alert):
            same = (one.recipient, one.channel, one.attempt) == like
            if same and one.state is DeliveryState.QUEUED and one.id not in taken:
                for old in [old for old, gone in known.items() if gone not in self.state.deliveries]:
                    del known[old]  # an alert that rings for ever must not be remembered ring by ring
                known[line.delivery] = one.id
                return one
        return None

    def _closed_it(self, line: AnswerLine) -> bool:
        episode = self._crew.episodes[line.alert]
        after_s = episode.after_s.get(DONE)
        if after_s is None or line.action != "close":
            return False
        return abs(episode.raised_at + timedelta(seconds=after_s) - line.at) < MISSED_BY

    # --- what people do by themselves ---

    def _come_to(self, moment: datetime) -> None:
        """Let timers fire and people act until then, in the order of time."""
        while self._agenda and self._agenda[0][0] <= moment:
            at, _, act = heappop(self._agenda)
            self._fire(at)
            self._do(act, max(at, self.state.now))
        self._fire(moment)

    def _fire(self, moment: datetime) -> None:
        if not self._script.recorded_ticks:
            self._rerun.come_to(moment)

    def _do(self, act: "_Act", now: datetime) -> None:
        if act.delivery:
            channel = f"delivery/{DeliveryState.SENT}/{act.delivery}"
            self._rerun.take(Frame(Transport.RECEIPT, channel, b"", now, position=self._next()))
            return
        alert = self.state.alerts.get(act.alert)
        if alert is None:
            return
        if act.action == SHOWN:
            for recipient in alert.asked:
                payload = recipient.encode()
                self._rerun.take(
                    Frame(Transport.RECEIPT, f"{SHOWN}/{alert.id}", payload, now, position=self._next())
                )
            return
        actor = alert.assignee or (alert.asked[-1] if alert.asked else "")
        free = alert.state is AlertState.OFFERED or alert.assignee is not None
        if actor and free:
            words = {"actor": actor, **act.words}
            words |= self._as_seen(alert.id) if act.action == "close" else {}
            self._say(alert.id, act.action, words, now, self._next())

    def _say(self, alert: str, action: str, words: Mapping[str, Any], at: datetime, position: int) -> None:
        payload = msgspec.json.encode(words)
        self._rerun.take(Frame(Transport.PERSON, f"alert/{alert}/{action}", payload, at, position=position))

    def _as_seen(self, alert: str) -> dict[str, Any]:
        known = self.state.alerts.get(alert)
        return {} if known is None else {"seen": known.count, "seen_severity": known.severity}

    def _next(self) -> int:
        self._position += 1
        return self._position

    # --- what the walk did ---

    def _told(self, changes: Changes) -> None:
        self._seen.add(changes.events)
        self.figures.take(changes, self.state.now, self.state.registry)
        for entry in changes.entries:
            if entry.action == "raised":
                self._raised(changes.alerts[entry.alert])
            elif entry.action == "closed":
                self._deliveries_of.pop(entry.alert, None)
        if not self._script.recorded_ticks:
            for delivery in changes.deliveries.values():
                if delivery.state is DeliveryState.QUEUED and not self._proved(delivery):
                    self._later(delivery.due_at or self.state.now, _Act(delivery=delivery.id))

    def _proved(self, delivery: Delivery) -> bool:
        """Tell whether the recording holds the proof of such a delivery."""
        episode = self._episode_of.get(delivery.alert)
        if episode is None or delivery.alert in self._shifted:
            return False
        return (delivery.recipient, delivery.channel) in episode.proved

    def _raised(self, alert: Alert) -> None:
        """Find the recorded alert that it is, and whose answers it gets."""
        if alert.tenant == SYNTHETIC:
            return
        key = (alert.rule, alert.home, alert.person or alert.device or "")
        episode, exact = self._twin(key, alert)
        figure = self.figures.alerts.get(alert.id)
        if episode is None:
            habit = self._crew.habit(alert.severity)
            if habit is not None and not self._script.recorded_ticks:
                self._by_habit(alert, habit)
            if figure is not None and habit is not None:
                figure.answered = HABIT
            return
        self._episode_of[alert.id] = episode
        self._taken.add(episode.ref)
        if figure is not None:
            figure.answered = RECORDED if episode.after_s else ""
        if exact:
            self._alert_of[episode.ref] = alert.id
            return
        self._shifted.add(alert.id)
        for line in episode.answers:
            words = frames.words_of(line, self._alert_of.get(line.by, line.by))
            at = alert.raised_at + (line.at - episode.raised_at)
            self._later(at, _Act(alert=alert.id, action=line.action, words=words))

    def _twin(self, key: tuple[str, str, str], alert: Alert) -> tuple[Episode | None, bool]:
        """Return the recorded alert that this one is, and whether it was raised at the same time."""
        twins = self._crew.twins(key, alert.raised_at, alert.subject, alert.device or "")
        for one in twins:
            if abs(one.raised_at - alert.raised_at) <= SAME_TIME and one.ref not in self._alert_of:
                return one, True
        free = next((one for one in twins if one.ref not in self._taken), None)
        return free, False

    def _by_habit(self, alert: Alert, habit: Habit) -> None:
        acts: tuple[tuple[str, float | None, dict[str, Any]], ...] = (
            (SHOWN, habit.shown_s, {}),
            ("accept", habit.taken_s, {}),
            ("on_site", habit.there_s, {}),
            ("close", habit.done_s, {"outcome": habit.outcome}),
        )
        for action, after_s, words in acts:
            if after_s is not None:
                at = alert.raised_at + timedelta(seconds=after_s)
                self._later(at, _Act(alert=alert.id, action=action, words=words))

    def _later(self, at: datetime, act: "_Act") -> None:
        heappush(self._agenda, (max(at, self.state.now), next(self._order), act))


class _Act(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is to happen: an answer, or with `delivery` the proof that a channel took one."""

    alert: str = ""
    action: str = ""
    words: dict[str, Any] = {}
    delivery: str = ""


def play(run: Run, lines: Iterable[FrameLine], header: Header) -> Figures:
    """Walk a whole recording, with the time fixed after which nothing is counted any more."""
    for line in lines:
        run.take(line)
    return run.end(header.until)
