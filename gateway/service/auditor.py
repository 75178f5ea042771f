"""Auditor: looks every few seconds whether every promise still has somebody who will keep it.

What it finds goes into the journal like any input, so that the single writer raises it as an alert; and
by a way of its own to an address outside, because a journal that cannot be written cannot say so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import msgspec

from gateway.contract import Clock, Store, StoreUnavailableError
from gateway.model.alert import Alert
from gateway.model.delivery import DeliveryState
from gateway.model.frame import Frame, Transport
from gateway.model.synthetic import SYNTHETIC
from gateway.pipeline.findings import Finding
from gateway.pipeline.watch import Report
from gateway.service.board import Board
from gateway.service.deadman import DeadMan
from gateway.service.engine import Engine
from gateway.service.intake import LaneIntake

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
STORE_EVERY = 6
"""Every so many looks the store itself is read too."""
AGAIN_AFTER_S = 600.0
"""What is still wrong is reported again after this: closing its alert does not end it."""
TIMER_OVERDUE = timedelta(seconds=10)
OUTBOX_OLD = timedelta(seconds=15)
"""Alert rules, section 5.6, S7."""
WAY_LOST = timedelta(minutes=5)
"""Alert rules, section 5.6, S2: so long a broker or a cloud may be away."""
KINDS = (
    "unwatched_alert",
    "auditor_fault",
    "timer_overdue",
    "outbox_old",
    "store_failing",
    "way_in_lost",
    "dead_man",
)
OUTSIDE = frozenset({"store_failing", "dead_man", "auditor_fault", "unwatched_alert"})
"""Findings that are told outside as well: the usual way may be what is broken."""


@dataclass(frozen=True)
class Watched:
    """What the auditor looks at; it changes nothing of it."""

    engine: Engine
    intake: LaneIntake
    board: Board
    store: Store
    clock: Clock
    ways_in: Callable[[], dict[str, Any]]
    dead_man: DeadMan | None
    channels: Callable[[], dict[str, Any]] = dict
    taps: Callable[[], dict[str, Any]] = dict


class Auditor:
    """Looks, compares with the look before, and reports what changed.

    A thing must be wrong at two looks in a row, so that what is just being done is not reported.
    """

    def __init__(
        self, watched: Watched, alarm: Callable[[Mapping[str, object]], Awaitable[str]] | None = None
    ) -> None:
        self._on = watched
        self._alarm = alarm
        self._before: dict[tuple[str, str], Finding] = {}
        self._told: frozenset[tuple[str, str]] | None = None  # unknown after a start: said anew
        self._told_at = 0.0
        self._untold: dict[tuple[str, str], Finding] = {}
        self._looks = 0
        self._unwatched_in_store: list[str] = []
        self._outside: set[str] = set()
        self._calls: set[asyncio.Task[str]] = set()
        self.findings: tuple[Finding, ...] = ()
        self.looked_at: datetime | None = None
        self._looked = monotonic()

    def silent_s(self) -> float:
        """Return how long ago the last look ended, in real seconds."""
        return monotonic() - self._looked

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Look once; a fault in looking is a finding, never a silence."""
        try:
            found = {_identity(one): one for one in await self._all()}
        except Exception as error:
            log.exception("the auditor failed")
            fault = Finding(
                kind="auditor_fault", subject="auditor", reason=f"it failed: {type(error).__name__}"
            )
            found = {_identity(fault): fault}
            self._before = found  # said at once: who watches must not be doubted for a look
        standing = tuple(one for key, one in found.items() if key in self._before)
        self._before = found
        self.looked_at = self._on.clock.now()
        self._looked = monotonic()
        self.findings = standing
        self._report(standing)
        self._tell_outside(standing)

    async def _all(self) -> list[Finding]:
        on = self._on
        if self._looks % STORE_EVERY == 0 and not on.engine.failing:
            try:
                self._unwatched_in_store = await asyncio.to_thread(on.store.unwatched)
            except StoreUnavailableError:
                self._unwatched_in_store = []  # the engine says so itself, as soon as it writes
        self._looks += 1
        found = [*self._failing(), *self._unwatched(), *self._overdue(), *self._outbox()]
        found += self._ways_lost()
        if on.dead_man is not None and on.dead_man.dead:
            n = on.dead_man.missed_in_a_row
            found.append(
                Finding(
                    kind="dead_man",
                    subject="chain",
                    reason=f"the synthetic alarm did not come back, {n} times in a row",
                    values={"n": n},
                )
            )
        return found

    def _failing(self) -> Iterator[Finding]:
        if reason := self._on.engine.failing:
            yield Finding(kind="store_failing", subject="store", reason=reason)

    def _unwatched(self) -> Iterator[Finding]:
        """Yield alerts of which nobody will be reminded: promise 3 broken."""
        late = self._on.clock.now() - TIMER_OVERDUE
        open_ones = {alert.id: alert for alert in self._on.board.open_alerts()}
        timers = self._on.engine.state
        for alert in open_ones.values():
            if alert.deadline is None or alert.deadline < late or not timers.reminded(alert.id):
                yield _unwatched(alert)
        for alert_id in self._unwatched_in_store:
            if alert_id in open_ones:
                yield _unwatched(open_ones[alert_id])

    def _overdue(self) -> Iterator[Finding]:
        due_at = self._on.engine.state.next_due()
        now = self._on.clock.now()
        if due_at is not None and now - due_at > TIMER_OVERDUE:
            reason = f"a timer is {(now - due_at).total_seconds():.0f} s overdue"
            yield Finding(kind="timer_overdue", subject="timers", reason=reason)

    def _outbox(self) -> Iterator[Finding]:
        now = self._on.clock.now()
        oldest = oldest_unsent(self._on.engine)
        if oldest is not None and now - oldest > OUTBOX_OLD:
            age_s = (now - oldest).total_seconds()
            yield Finding(kind="outbox_old", subject="outbox", reason=f"a delivery waits since {age_s:.0f} s")

    def _ways_lost(self) -> Iterator[Finding]:
        now = self._on.clock.now()
        for name, way in self._on.ways_in().items():
            since = way.get("lost_since")
            if since is not None and now - since > WAY_LOST:
                minutes = round((now - since).total_seconds() / 60)
                yield Finding(
                    kind="way_in_lost",
                    subject=name,
                    reason=f"{name} is lost since {since.isoformat(timespec='seconds')}",
                    values={"way": name, "minutes": minutes},
                )

    def _report(self, standing: tuple[Finding, ...]) -> None:
        """Journal what is wrong when that changed, and now and then again as long as something is."""
        if self._on.engine.failing:  # it would wait behind what cannot be written: told when that is over
            self._untold |= {_identity(one): one for one in standing}
            return
        standing = tuple(({_identity(one): one for one in standing} | self._untold).values())
        self._untold = {}
        now = asyncio.get_running_loop().time()
        names = frozenset(_identity(one) for one in standing)
        due = bool(names) and now - self._told_at >= AGAIN_AFTER_S
        if names == self._told and not due:
            return
        self._told, self._told_at = names, now
        payload = msgspec.json.encode(Report(kinds=KINDS, findings=standing))
        frame = Frame(Transport.WATCH, "report", payload, self._on.clock.now(), ingress="auditor")
        self._on.intake.offer(frame)

    def _tell_outside(self, standing: tuple[Finding, ...]) -> None:
        """Tell what began and what ended, once each."""
        kinds = {one.kind for one in standing} & OUTSIDE
        for kind in kinds - self._outside:
            log.critical("self-supervision: %s", next(one.reason for one in standing if one.kind == kind))
        changed = [(kind, "began") for kind in sorted(kinds - self._outside)]
        changed += [(kind, "ended") for kind in sorted(self._outside - kinds)]
        self._outside = kinds
        if self._alarm is None:
            return
        for kind, what in changed:
            words = {"source": "vaka", "finding": kind, "what": what, "at": _text(self._on.clock.now())}
            call = asyncio.get_running_loop().create_task(_said(self._alarm, words), name=f"alarm {kind}")
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)


def oldest_unsent(engine: Engine) -> datetime | None:
    """Return since when the oldest delivery that no channel has taken is due, None when there is none."""
    waiting = [
        max(one.queued_at, one.due_at or one.queued_at)
        for one in engine.state.deliveries.values()
        if one.state is DeliveryState.QUEUED
    ]
    return min(waiting, default=None)


async def _said(alarm: Callable[[Mapping[str, object]], Awaitable[str]], words: Mapping[str, object]) -> str:
    return await alarm(words)


def _unwatched(alert: Alert) -> Finding:
    tenant = "" if alert.tenant == SYNTHETIC else alert.tenant
    return Finding(
        kind="unwatched_alert",
        subject=alert.id,
        tenant=tenant,
        reason="an open alert has no deadline to come",
    )


def _identity(finding: Finding) -> tuple[str, str]:
    return finding.kind, finding.subject


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
