"""People at work: phones that ring, and carers who take an alert, go there and close it.

Only who is rung acts. Everybody does one thing at a time; what they find at the home, the world knows.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.model.alert import Alert, AlertState, Outcome, Severity
from gateway.model.delivery import Delivery
from gateway.model.frame import Frame, Transport
from gateway.model.people import Context
from simulators.chance import Chance
from simulators.house.port import Look
from simulators.staff import credential_of
from simulators.world.place import way_min
from simulators.world.roster import Roster
from simulators.world.scene import Scene

Act = Callable[[datetime], None]

NEVER_SHOWN = 0.02
"""Assumed share of calls to a phone that is in a bag, flat or out of coverage."""
DECLINES_BUSY = 0.7
"""Assumed share of busy people who say so; the others let it ring."""
FORGETS = 0.015
"""Assumed share of accepted alerts that nobody answers for any more, until the lease runs out."""
LATE_ON_THE_WAY = 0.15
"""Assumed share of ways that take much longer than was said."""
HANDS_OVER_WITHIN = timedelta(minutes=20)
"""Who goes home so soon gives away what they have not begun."""
ON_ITS_WAY = timedelta(seconds=60)
"""After an answer the page may still show the alert as it was: nobody answers twice."""
SENT_FOR = timedelta(minutes=30)
"""How long the alarm centre waits for those it has asked to go there."""
SHELVED_S = 7200.0
LONG_AGO = timedelta(hours=3)


class Worker:
    """One person, or one team that answers as one: until when busy, with what, and where."""

    __slots__ = ("alert", "busy_until", "home", "ref")

    def __init__(self, ref: str, now: datetime) -> None:
        self.ref, self.busy_until = ref, now
        self.alert = ""
        self.home = ""


class Crew:
    """Everybody who works; what they tell the gateway are frames like those of the staff page."""

    def __init__(self, seed: int, roster: Roster, scene: Scene, start: datetime, zone: ZoneInfo) -> None:
        self._seed, self._roster, self._scene, self._zone = seed, roster, scene, zone
        self._agenda: list[tuple[datetime, int, Act]] = []
        self._told: list[Frame] = []
        self._planned = 0
        self._workers: dict[str, Worker] = {}
        self._taken: dict[str, tuple[str, datetime]] = {}
        self._reading: set[tuple[str, str]] = set()
        self._handed: dict[str, datetime] = {}
        self._start = start
        self._look: Look | None = None

    # --- the port of the player ---

    def watch(self, look: Look) -> None:
        """Get the staff page, which shows alerts as they are."""
        self._look = look

    def ring(self, delivery: Delivery, alert: Alert, now: datetime) -> str:
        """Let a phone ring; whoever has it looks at it after a while, and then decides."""
        chance = Chance(self._seed, "ring", delivery.recipient, alert.home, alert.rule, now.isoformat())
        if chance.happens(NEVER_SHOWN):
            return ""
        shown = now + timedelta(seconds=round(1 + 6 * chance.random() ** 2, 3))
        self.tell(shown, Transport.RECEIPT, f"delivery/displayed/{delivery.id}")
        if (delivery.recipient, alert.id) in self._reading:
            return ""  # by another channel: it is one person with one phone
        self._reading.add((delivery.recipient, alert.id))
        read = shown + timedelta(seconds=round(_reads_in_s(alert, chance), 3))
        self.do(read, lambda at: self._decide(delivery.recipient, alert.id, at, chance))
        return ""

    def next_at(self) -> datetime | None:
        """Return when somebody next does something."""
        return self._agenda[0][0] if self._agenda else None

    def advance(self, now: datetime) -> Sequence[Frame]:
        """Let everybody do what they do by then, and return what they tell the gateway."""
        while self._agenda and self._agenda[0][0] <= now:
            at, _, act = heappop(self._agenda)
            act(at)
        told, self._told = self._told, []
        return told

    # --- the office ---

    def tell(self, at: datetime, transport: Transport, channel: str, payload: bytes = b"") -> None:
        """Tell the gateway something then."""
        self.do(at, lambda now: self.say(now, transport, channel, payload))

    def context(self, at: datetime, context: Context) -> None:
        """Tell the gateway then of what goes on in a home."""
        self.tell(at, Transport.PERSON, f"context/{context.id}/set", msgspec.json.encode(context))

    # --- what people do ---

    def _decide(self, who: str, alert_id: str, now: datetime, chance: Chance) -> None:
        """Somebody has read it: take it, say no, or let it be."""
        self._reading.discard((who, alert_id))
        alert = self._shown(alert_id)
        if alert is None or alert.state is not AlertState.OFFERED or alert.assignee is not None:
            return
        taken = self._taken.get(alert_id)
        if taken is not None and now - taken[1] < ON_ITS_WAY:
            return
        worker = self._worker(who, now)
        if self._roster.answers_as_one(who):
            self._answer_by_phone(worker, alert, now, chance)
        elif worker.alert and worker.busy_until > now:
            if alert.severity is not Severity.LOW and chance.happens(DECLINES_BUSY):
                self._answer(now, alert_id, "decline", who, note="busy")
        elif self._roster.works_until(who, now) - now < HANDS_OVER_WITHIN and alert.severity is Severity.LOW:
            return
        else:
            self._accept(worker, alert, now, chance)

    def _accept(self, worker: Worker, alert: Alert, now: datetime, chance: Chance) -> None:
        """Take it, say when they are there, and go."""
        way = way_min(worker.home, alert.home) * chance.uniform(0.8, 1.3)
        eta_s = float(round((way + 2) * 60))
        low = alert.severity is Severity.LOW
        wait = timedelta(minutes=chance.uniform(10, 90)) if low else self._wait(worker, alert, now)
        eta_s += wait.total_seconds()
        arrives = now + wait + timedelta(minutes=way)
        said = {} if low else {"eta_s": eta_s}
        self._taken[alert.id] = (worker.ref, now)
        worker.alert, worker.busy_until = alert.id, arrives + timedelta(minutes=30)
        self._answer(now, alert.id, "accept", worker.ref, **said)
        if chance.happens(FORGETS):
            self.do(now + LONG_AGO, lambda at: self._free(worker, alert.id, at))
            worker.busy_until = now + timedelta(minutes=20)
            return
        if not low and chance.happens(LATE_ON_THE_WAY):
            late = now + timedelta(seconds=eta_s - 20)
            self.do(late, lambda at: self._still_coming(worker, alert.id, at))
            arrives += timedelta(minutes=chance.uniform(4, 14))
        self.do(arrives, lambda at: self._arrive(worker, alert.id, at, chance))

    def _wait(self, worker: Worker, alert: Alert, now: datetime) -> timedelta:
        """Return how long a visit still holds somebody up: a High alert is worth leaving it."""
        if alert.severity is Severity.HIGH:
            return timedelta(0)
        return max(self._roster.visit_until(worker.ref, now) - now, timedelta(0))

    def _still_coming(self, worker: Worker, alert_id: str, now: datetime) -> None:
        if self._mine(worker, alert_id):
            self._answer(now, alert_id, "accept", worker.ref)

    def _arrive(self, worker: Worker, alert_id: str, now: datetime, chance: Chance) -> None:
        """At the door: in by the lock, a press of "on site", and what is to be done there."""
        alert = self._mine(worker, alert_id)
        if alert is None:
            self._free(worker, alert_id, now)
            return
        if self._roster.works_until(worker.ref, now) <= now:
            self._answer(now, alert_id, "hand_over", worker.ref, to=self._roster.next_team(worker.ref, now))
            self._free(worker, alert_id, now)
            return
        worker.home = alert.home or worker.home
        minutes = self._scene.work_min(alert, now, chance)
        self._scene.enter(alert.home, credential_of(worker.ref), now, minutes)
        self._answer(now + timedelta(seconds=30), alert_id, "on_site", worker.ref)
        done = now + timedelta(minutes=minutes)
        worker.busy_until = done
        self.do(done, lambda at: self._finish(worker, alert_id, at, chance))

    def _finish(self, worker: Worker, alert_id: str, now: datetime, chance: Chance) -> None:
        """Help is given, or what is broken is mended; it is closed with what was found."""
        alert = self._mine(worker, alert_id)
        if alert is not None:
            outcome = self._scene.finish(alert, now, chance)
            self._close(alert, worker.ref, now, outcome)
        self._free(worker, alert_id, now)

    def _answer_by_phone(self, worker: Worker, alert: Alert, now: datetime, chance: Chance) -> None:
        """A team that answers as one talks with the person, and sends somebody where help is needed.

        Whom it has sent it lets go; what can wait it puts aside for a technician.
        """
        handed_at = self._handed.get(alert.id)
        if handed_at is not None and now - handed_at < SENT_FOR:
            return
        self._taken[alert.id] = (worker.ref, now)
        self._answer(now, alert.id, "accept", worker.ref)
        talked = now + timedelta(seconds=round(chance.uniform(60, 240), 3))
        self.do(talked, lambda at: self._after_talk(worker, alert.id, at))

    def _after_talk(self, worker: Worker, alert_id: str, now: datetime) -> None:
        alert = self._mine(worker, alert_id)
        if alert is None:
            return
        outcome = self._scene.outcome(alert, now)
        if outcome in (Outcome.FALSE, Outcome.TEST):
            self._close(alert, worker.ref, now, outcome)
        elif alert.severity is Severity.LOW:
            self._answer(now, alert_id, "shelve", worker.ref, note="for a technician", for_s=SHELVED_S)
        else:
            self._handed[alert_id] = now
            self._answer(now, alert_id, "hand_over", worker.ref, to=self._roster.team_for(alert.home, now))
        self._taken.pop(alert_id, None)

    # --- small steps ---

    def _shown(self, alert_id: str) -> Alert | None:
        return None if self._look is None else self._look(alert_id)

    def _mine(self, worker: Worker, alert_id: str) -> Alert | None:
        """Return the alert as it is now if it is still theirs."""
        alert = self._shown(alert_id)
        return alert if alert is not None and alert.assignee == worker.ref else None

    def _free(self, worker: Worker, alert_id: str, now: datetime) -> None:
        if self._taken.get(alert_id, ("", now))[0] == worker.ref:
            del self._taken[alert_id]
        self._handed.pop(alert_id, None)
        if worker.alert == alert_id:
            worker.alert = ""

    def _worker(self, ref: str, now: datetime) -> Worker:
        found = self._workers.get(ref)
        if found is None:
            found = self._workers[ref] = Worker(ref, now)
        return found

    def _close(self, alert: Alert, who: str, now: datetime, outcome: Outcome) -> None:
        said = {"outcome": outcome, "seen": alert.count, "seen_severity": alert.severity}
        self._answer(now, alert.id, "close", who, **said)

    def _answer(self, at: datetime, alert_id: str, action: str, who: str, **said: Any) -> None:
        body = msgspec.json.encode({"actor": who, **said})
        self.tell(at, Transport.PERSON, f"alert/{alert_id}/{action}", body)

    def say(self, now: datetime, transport: Transport, channel: str, payload: bytes) -> None:
        """Tell the gateway something now; for what is done in `do`."""
        self._told.append(Frame(transport, channel, payload, now, ingress="simulation"))

    def do(self, at: datetime, act: Act) -> None:
        """Do that then."""
        self._planned += 1
        heappush(self._agenda, (at, self._planned, act))


def _reads_in_s(alert: Alert, chance: Chance) -> float:
    """Return after how many seconds somebody decides: sooner the worse it is."""
    if alert.severity is Severity.HIGH:
        return chance.uniform(4, 25)
    if alert.severity is Severity.MEDIUM:
        return 10 + 200 * chance.random() ** 3
    return 60 + 2400 * chance.random() ** 2


class Nobody:
    """Phones that take every message and are never looked at."""

    def watch(self, _look: Look) -> None:
        """Nobody looks."""

    def ring(self, _delivery: Delivery, _alert: Alert, _now: datetime) -> str:
        """Take it, and show nothing."""
        return ""

    def next_at(self) -> datetime | None:
        """Return None: nobody ever does anything."""
        return None

    def advance(self, _now: datetime) -> Sequence[Frame]:
        """Return nothing."""
        return ()
