"""DocumentRule: a document made into a rule that the gateway can ask, like one in plain Python."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta

from gateway.contract import Decision, RuleState, Situation
from gateway.model.event import Event
from gateway.model.registry import Window
from gateway.model.status import Timer
from rules.base import NOTHING, BaseRule
from rules.language.document import Document
from rules.language.temporal import read_all
from rules.language.turn import Turn
from rules.language.way import LATE_AFTER, Way
from rules.planned import CATCH_UP
from rules.times import Occurrence, around, zone_of

VISITS_AHEAD_S = 400 * 86_400
"""How far ahead a planned visit is looked for; only the next one has a timer."""
CONTEXT = "context."
VISIT = "visit"


class DocumentRule(BaseRule):
    """Fulfils the Rule port. `document` is what it was made of; it is active or in shadow as that says."""

    def __init__(self, document: Document, state: RuleState | None = None) -> None:
        self.document = document
        self.state = state or document.state
        self.id = document.id  # type: ignore[misc] # a class of Python rules has one id, a document its own
        self.catalogue = document.catalogue  # type: ignore[misc] # same
        self.ways = tuple(Way(document, trigger, str(n)) for n, trigger in enumerate(document.trigger))
        listens = frozenset().union(*(way.listens for way in self.ways))
        if any(way.trigger.absent and (way.trigger.absent.by or "").startswith(VISIT) for way in self.ways):
            listens |= {CONTEXT + VISIT}
        self.listens = listens  # type: ignore[misc] # same
        self._kinds = frozenset(document.devices)
        self._planned = tuple(way for way in self.ways if way.trigger.absent and way.trigger.absent.by)

    @property
    def arms(self) -> bool:
        """Whether it has a planned moment to arm."""
        return bool(self._planned)

    def on_enrolled(self, at: Situation) -> Sequence[Decision]:
        """Arm the next planned moment of every trigger that has one."""
        if not self._planned or not self._watches(at):
            return NOTHING
        turn = self._turn(at, None)
        for way in self._planned:
            self._arm_next(way, turn, at.now)
        return turn.done()

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Let every trigger hear it."""
        if not self._watches(at):
            return NOTHING
        turn = self._turn(at, event)
        for way in self.ways:
            way.hear(event, turn)
        return turn.done()

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:
        """Let the trigger whose timer it is go on."""
        kind, _, rest = timer.name.partition(".")
        number, _, key = rest.partition(".")
        if not number.isdecimal() or int(number) >= len(self.ways):
            return NOTHING  # of an earlier version of this document
        way, turn = self.ways[int(number)], self._turn(at, None)
        if kind == "by":
            self._due(way, key, timer, turn)
        elif kind.startswith("step"):
            if int(kind.removeprefix("step")) < len(way.steps):
                way.escalate(int(kind.removeprefix("step")), turn, timer.note)
        else:
            way.due(kind, timer.note, turn, timer.due_at)
        return turn.done()

    def _watches(self, at: Situation) -> bool:
        return not self._kinds or at.device.kind.value in self._kinds

    def _turn(self, at: Situation, event: Event | None) -> Turn:
        subject = at.home.id if self.document.subject == "home" else at.device.id
        return Turn(at, event, subject, self._numbers(at), self.state)

    def _numbers(self, at: Situation) -> Mapping[str, float]:
        """Return the numbers that hold here, each within its bounds."""
        if not at.overridden:
            return self.document.numbers
        found: dict[str, float] = {}
        for name, default in self.document.numbers.items():
            value = at.number(name, default)
            least, most = self.document.bounds.get(name, (value, value))
            found[name] = min(max(value, least), most)
        return found

    # --- planned moments ---

    def _due(self, way: Way, key: str, timer: Timer, turn: Turn) -> None:
        """Judge the planned moment that a timer names, unless the plan has moved meanwhile."""
        coming = [one for one in self._coming(way, turn, timer.due_at) if one.key == key]
        planned = next((one for one in coming if self._moment(way, one, turn) == timer.due_at), None)
        absent = way.trigger.absent
        if planned is None or absent is None:
            turn.say(f"the planned time {key!r} is not in the plan any more, or has moved")
        elif not self._answered(way, planned, turn, timer.due_at) and turn.holds(way.still):
            overdue = turn.at.now - timer.due_at
            late = f", evaluated {overdue.total_seconds() / 60:.0f} min late" if overdue > LATE_AFTER else ""
            moment = self._anchor(way, planned)
            way.fire(moment, turn, f"{turn.subject}/{key}", f": {planned.ref}{late}", {"slot": planned.ref})
        self._arm_next(way, turn, max(timer.due_at, turn.at.now - CATCH_UP))

    def _answered(self, way: Way, planned: Occurrence, turn: Turn, due_at: datetime) -> bool:
        absent = way.trigger.absent
        if absent is None or absent.since is None:
            return False
        first = self._anchor(way, planned) - turn.lasting(absent.since)
        hits = read_all(turn.facts, f"{way.name}.answered")
        return any(first <= moment <= due_at for moment in hits)

    def _arm_next(self, way: Way, turn: Turn, after: datetime) -> None:
        """Arm the soonest planned moment after that one, and any that share it."""
        coming = [(self._moment(way, one, turn), one) for one in self._coming(way, turn, after)]
        later = [(due_at, one) for due_at, one in coming if due_at > after]
        soonest = min((due_at for due_at, _ in later), default=None)
        for due_at, one in later:
            if due_at == soonest and one.starts_at >= turn.at.enrolment.since:
                turn.arm(f"by.{way.name}.{one.key}", due_at)

    def _coming(self, way: Way, turn: Turn, after: datetime) -> list[Occurrence]:
        anchor, at = (way.trigger.absent.by or "") if way.trigger.absent else "", turn.at
        if anchor.startswith(VISIT):
            visits = at.contexts(VISIT, VISITS_AHEAD_S)
            return [
                Occurrence(visit.id, at.local(visit.since).date(), visit.since, visit.until)
                for visit in visits
            ]
        if anchor.startswith("dose"):
            windows = at.enrolment.doses
        elif anchor.startswith("look"):
            windows = at.enrolment.looks
        else:
            windows = (Window(ref="daily", at=time.fromisoformat(anchor), minutes=1),)
        return [one for window in windows for one in around(window, after, zone_of(at))]

    def _anchor(self, way: Way, planned: Occurrence) -> datetime:
        by = (way.trigger.absent.by or "") if way.trigger.absent else ""
        return planned.ends_at if by.endswith("_end") else planned.starts_at

    def _moment(self, way: Way, planned: Occurrence, turn: Turn) -> datetime:
        plus = way.trigger.absent.plus if way.trigger.absent else None
        return self._anchor(way, planned) + (turn.lasting(plus) if plus else timedelta(0))
