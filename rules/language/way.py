"""Way: one compiled trigger of a document, and how an event moves it."""

from datetime import datetime, timedelta

from gateway.contract import Change, Raise
from gateway.model.event import Event
from rules.language import temporal
from rules.language.document import ANY, Document, Match, Step, Trigger
from rules.language.explain import told
from rules.language.matcher import Matcher, Rung
from rules.language.predicate import Predicate
from rules.language.turn import Turn
from rules.times import happened_at, lateness, settled

LATE_AFTER = timedelta(seconds=60)
"""A timer that fires later than this is marked in the reason."""


class Way:
    """One trigger, compiled. `name` keeps its memory and timers apart from the rule's other triggers."""

    def __init__(self, document: Document, trigger: Trigger, name: str) -> None:
        self.trigger = trigger
        self.name = name
        self._rule = document
        names = tuple(document.numbers)
        self.starts = Matcher(trigger.on, trigger.when, names)
        self.ends = self._matcher(trigger.until)
        self.resets = self._matcher(trigger.count.reset if trigger.count else None)
        self.then = self._matcher(trigger.sequence.then if trigger.sequence else None)
        absent = trigger.absent
        self.answers = Matcher(absent.on, absent.when, names) if absent else None
        met = trigger.correlate.with_ if trigger.correlate else ()
        self.others = tuple(Matcher(other.on, other.when, names) for other in met)
        self.still = None if trigger.still is None else Predicate(trigger.still, names)
        self.steps = tuple(Rung(step, names) for step in trigger.escalate_if)

    @property
    def listens(self) -> frozenset[str]:
        """The event types that can move it."""
        parts = [self.starts, self.ends, self.resets, self.then, self.answers, *self.others]
        found = frozenset().union(*(part.on for part in parts if part is not None))
        found |= frozenset().union(*(step.on for step in self.trigger.escalate_if))
        return frozenset({"*"}) if ANY in found else found

    def hear(self, event: Event, turn: Turn) -> None:
        """Let an event move it."""
        moment = happened_at(event)
        if self.ends is not None and self.ends.meets(event, turn):
            self._over(moment, turn)
        if self.answers is not None and self.answers.meets(event, turn):
            self._answered(event, moment, turn)
        if self.resets is not None and self.resets.meets(event, turn):
            turn.keep(self._key("hits", turn), None)
        self._gather(event, moment, turn)
        self._worsen(event, turn)

    def due(self, kind: str, note: str, turn: Turn, due_at: datetime) -> None:
        """A timer of its own has fired; one that fires late says so."""
        overdue = turn.at.now - due_at
        late = f", evaluated {overdue.total_seconds() / 60:.0f} min late" if overdue > LATE_AFTER else ""
        if kind == "keep":
            turn.clear(
                f"it stayed over for {turn.lasting(self.trigger.keep_for or '').total_seconds():.0f} s"
            )
            return
        if kind == "absent" and self._came_since(due_at, turn):
            return
        turn.keep(self._key("since", turn), None)
        if not turn.holds(self.still):
            turn.say("it does not hold any more when it is due")
            return
        self._fire(datetime.fromisoformat(note), turn, late)

    def escalate(self, number: int, turn: Turn, subject: str) -> None:
        """So much later: make the alert worse that is still open with its cause still there."""
        rung = self.steps[number]
        alert = turn.alert(subject)
        if alert is None or not alert.active or not turn.holds(rung.when):
            return
        turn.decisions.append(self._change(rung.step, turn, alert.subject))

    # --- gathering: what must come together before it is met ---

    def _gather(self, event: Event, moment: datetime, turn: Turn) -> None:
        trigger = self.trigger
        if trigger.sequence is not None or trigger.correlate is not None:
            self._join(event, moment, turn)
            return
        if not trigger.on or not self.starts.meets(event, turn):
            return
        if trigger.hysteresis is not None:
            self._level(event, moment, turn)
        elif trigger.count is None or self._count(moment, turn):
            self._met(event, moment, turn)

    def _level(self, event: Event, moment: datetime, turn: Turn) -> None:
        level = self.trigger.hysteresis
        value = None if level is None else getattr(event.values, level.value, None)
        if level is None or value is None:
            return
        judged_at = turn.recall(self._key("level_at", turn))
        if judged_at is not None and moment < judged_at:
            turn.say("the level is older than the newest one")
            return
        turn.keep(self._key("level_at", turn), moment)
        low = bool(turn.facts.get(self._key("low", turn)))
        if value <= turn.numbers[level.on] and not low:
            turn.keep(self._key("low", turn), value=True)
            self._met(event, moment, turn)
        elif value >= turn.numbers[level.off] and low:
            turn.keep(self._key("low", turn), None)
            self._over(moment, turn)

    def _count(self, moment: datetime, turn: Turn) -> bool:
        count = self.trigger.count
        if count is None:
            return False
        key, window = self._key("hits", turn), turn.lasting(count.window)
        hits = temporal.counted(temporal.read_all(turn.facts, key), moment, window)
        turn.keep(key, hits)
        return moment in hits and temporal.together(hits, moment, window) >= turn.numbers[count.n]

    def _join(self, event: Event, moment: datetime, turn: Turn) -> None:
        """Sequence and correlate: note each part's newest moment, and see whether they belong together."""
        parts = (self.starts, self.then) if self.then is not None else (self.starts, *self.others)
        heard = [number for number, part in enumerate(parts) if part.meets(event, turn)]
        for number in heard:
            key = self._key(f"part{number}", turn)
            turn.keep(key, temporal.newest(turn.recall(key), moment))
        if not heard:
            return
        moments = [turn.recall(self._key(f"part{number}", turn)) for number in range(len(parts))]
        if self._belong(moments, turn):
            for number in range(len(parts)):
                turn.keep(self._key(f"part{number}", turn), None)
            self._met(event, max(one for one in moments if one is not None), turn)

    def _belong(self, moments: list[datetime | None], turn: Turn) -> bool:
        if self.trigger.sequence is not None:
            return temporal.follows(moments[0], moments[1], turn.lasting(self.trigger.sequence.within))
        correlate = self.trigger.correlate
        return correlate is not None and temporal.meet(moments, turn.lasting(correlate.within))

    # --- met: hold, wait for an answer, or raise ---

    def _met(self, event: Event, moment: datetime, turn: Turn) -> None:
        turn.disarm(f"keep.{self.name}")
        if self.trigger.for_ is not None:
            self._hold(event, moment, turn, turn.lasting(self.trigger.for_))
        elif self.trigger.absent is not None and self.trigger.absent.within is not None:
            self._await(event, moment, turn, turn.lasting(self.trigger.absent.within))
        else:
            self._fire(moment, turn, "")

    def _hold(self, event: Event, moment: datetime, turn: Turn, lasting: timedelta) -> None:
        name, key = f"for.{self.name}", self._key("since", turn)
        ended, since, alert = turn.recall(self._key("ended", turn)), turn.recall(key), turn.alert()
        if ended is not None and moment <= ended:
            if ended - moment >= lasting and since is None:
                self._fire(moment, turn, ", and over since")
                turn.clear("it was over before it was heard")
            else:
                turn.say("it was over before it was heard")
        elif (alert is None or not alert.active) and (
            not turn.armed(name) or since is None or moment < since
        ):
            turn.keep(key, moment)
            turn.arm(name, settled(moment + lasting, event, turn.at), moment.isoformat())

    def _await(self, event: Event, moment: datetime, turn: Turn, within: timedelta) -> None:
        """Wait for what is to come. A watchdog's timer stays, and looks at the newest sign when it is due."""
        name, since = f"absent.{self.name}", self._key("since", turn)
        answered = turn.recall(self._key("answered", turn))
        if self._watchdog(event):
            moment = temporal.newest(answered, moment)
        elif answered is not None and answered >= moment:
            turn.say("what it waits for had come already")
            return
        if not turn.armed(name):
            turn.keep(since, moment)
            turn.arm(name, settled(moment + within, event, turn.at), moment.isoformat())

    def _watchdog(self, event: Event) -> bool:
        """Tell whether an event of what is waited for starts the waiting anew."""
        return self.answers is not None and event.type in self.answers.on

    def _came_since(self, due_at: datetime, turn: Turn) -> bool:
        """Move a watchdog's timer that is due to the end of the time after the newest sign."""
        absent, answered = self.trigger.absent, turn.recall(self._key("answered", turn))
        if absent is None or absent.within is None or answered is None:
            return False
        again = answered + turn.lasting(absent.within)
        if again > due_at:
            turn.keep(self._key("since", turn), answered)
            turn.arm(f"absent.{self.name}", again, answered.isoformat())
        return again > due_at

    def _answered(self, event: Event, moment: datetime, turn: Turn) -> None:
        """What it waits for came: late news of it counts by its own time."""
        absent, key = self.trigger.absent, self._key("answered", turn)
        if absent is None:
            return
        if absent.by is not None:
            hits = temporal.counted(temporal.read_all(turn.facts, key), moment, temporal.FORGET_AFTER)
            turn.keep(key, hits[-16:])
            return
        before, since = turn.recall(key), turn.recall(self._key("since", turn))
        turn.keep(key, temporal.newest(before, moment))
        if since is None or moment >= since:
            turn.clear(f"{event.type} came")
        again = event.type in self.starts.on and self.starts.meets(event, turn)
        if since is None or again:
            return
        waited_from = temporal.newest(before, since) if before is not None and before >= since else since
        if since <= moment <= waited_from + turn.lasting(absent.within or ""):
            turn.disarm(f"absent.{self.name}")
            turn.keep(self._key("since", turn), None)

    def _over(self, moment: datetime, turn: Turn) -> None:
        since, ended = turn.recall(self._key("since", turn)), self._key("ended", turn)
        if since is not None and moment < since:
            turn.say("the end is older than the beginning")
            return
        turn.keep(ended, temporal.newest(turn.recall(ended), moment))
        if since is not None and self.trigger.for_ is not None:
            turn.disarm(f"for.{self.name}")
            turn.keep(self._key("since", turn), None)
            if moment - since >= turn.lasting(self.trigger.for_):
                self._fire(since, turn, ", and over since")
                turn.clear("it is over")
                return
        if self.trigger.keep_for is not None:
            turn.arm(f"keep.{self.name}", moment + turn.lasting(self.trigger.keep_for))
        else:
            turn.clear("it is over")

    # --- what it decides ---

    def _fire(self, moment: datetime, turn: Turn, remark: str) -> None:
        self.fire(moment, turn, turn.subject, remark, {})

    def fire(
        self,
        moment: datetime,
        turn: Turn,
        subject: str,
        remark: str,
        values: dict[str, str | int | float | bool],
    ) -> None:
        """Raise, unless something is in force that explains it."""
        for kind in self.trigger.suppress_while:
            if found := turn.at.contexts(kind):
                turn.say(f"explained by the {kind.value} {found[0].id}")
                return
        late = lateness(turn.event) if turn.event is not None else {}
        raised = Raise(
            severity=self.trigger.severity,
            type=self.trigger.type or self._rule.type,
            text=self._rule.id,
            reason=told(self.trigger, turn.numbers) + remark,
            accept_within_s=turn.numbers[self.trigger.accept],
            values={**values, **late},
            latched=self._rule.latched,
            subject=subject,
            occurred_at=moment,
            route=self._route(self.trigger),
        )
        turn.raise_(raised)
        for number, rung in enumerate(self.steps):
            name = f"step{number}.{self.name}"
            if rung.step.after is not None and not turn.armed(name):
                turn.arm(name, turn.at.now + turn.lasting(rung.step.after), subject)

    def _worsen(self, event: Event, turn: Turn) -> None:
        for number, rung in enumerate(self.steps):
            if event.type in rung.step.on:
                self.escalate(number, turn, turn.subject)

    def _change(self, step: Step, turn: Turn, subject: str) -> Change:
        after = "" if step.after is None else f" after {turn.numbers[step.after] / 60:.0f} min"
        return Change(
            severity=step.severity,
            type=step.type,
            reason=f"still so{after}" if after else "it became worse",
            accept_within_s=None if step.accept is None else turn.numbers[step.accept],
            subject=subject,
            route=None if step.route is None else step.route.value,
        )

    def _route(self, trigger: Trigger) -> str:
        route = trigger.route or self._rule.route
        return "" if route is None else route.value

    def _matcher(self, match: Match | None) -> Matcher | None:
        return None if match is None else Matcher(match.on, match.when, tuple(self._rule.numbers))

    def _key(self, what: str, turn: Turn) -> str:
        """Return the name of a fact; where a person is the key, each has their own."""
        correlate, person = self.trigger.correlate, turn.at.person
        if correlate is not None and correlate.key == "person" and person is not None:
            return f"{self.name}.{person.ref}.{what}"
        return f"{self.name}.{what}"
