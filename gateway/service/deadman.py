"""Dead man: a synthetic alarm through the whole chain, again and again; its silence is an alarm itself.

A real message goes over a real connection to the listener, becomes an event, an alert, a delivery on
the open page's channel and its receipt, and is answered as people answer (alert rules, 5.6, S3).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from uuid import uuid4

import msgspec

from gateway.contract import Changes, Clock, Intake, Snapshot
from gateway.model.alert import Alert, AlertState, Outcome
from gateway.model.delivery import DeliveryState
from gateway.model.frame import Frame, Transport
from gateway.model.synthetic import BUTTON, SYNTHETIC
from gateway.service.board import Board, Subscription

log = logging.getLogger(__name__)

CHANNEL = "page"
MISSES = 3
"""So many round trips missed in a row are an alarm (alert rules, 5.6, S3)."""
WITHIN_S = 20.0
"""A round trip that takes longer is missed, also where the next one is far away."""
KEPT = 60
FIRST_AFTER = 4
"""The first trip starts after this part of the pause: a gateway that just started shows soon how it is."""

Publish = Callable[[str, bytes], Awaitable[None]]


class Stage(StrEnum):
    """How far a synthetic alarm has come."""

    SENT = "sent"
    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    DELIVERED = "delivered"
    DISPLAYED = "displayed"
    CLOSED = "closed"


class Trip(msgspec.Struct):
    """One round trip: when it began, and after how many seconds it came to each stage."""

    began_at: datetime
    stages: dict[Stage, float]
    missed: str = ""

    @property
    def whole(self) -> bool:
        """True when the alarm came all the way."""
        return Stage.CLOSED in self.stages


class DeadMan:
    """Sends, follows what the engine commits, answers, and counts what did not come back.

    An observer of the engine like the page and the dispatcher: it sees what was committed and no more.
    """

    def __init__(
        self, publish: Publish, intake: Intake, board: Board, clock: Clock, *, every_s: float
    ) -> None:
        self._publish = publish
        self._intake = intake
        self._board = board
        self._clock = clock
        self.every_s = every_s
        self.trips: deque[Trip] = deque(maxlen=KEPT)
        self.missed_in_a_row = 0
        self.last_whole: float | None = None
        self._alert: Alert | None = None
        self._began = 0.0
        self._trip: Trip | None = None
        self._home = asyncio.Event()
        self.whole: Callable[[], Awaitable[None]] | None = None

    @property
    def dead(self) -> bool:
        """True when too many in a row did not come back."""
        return self.missed_in_a_row >= MISSES

    def age_s(self) -> float | None:
        """Return how long ago the last whole round trip ended, None before the first."""
        if self.last_whole is None:
            return None
        return asyncio.get_running_loop().time() - self.last_whole

    def load(self, snapshot: Snapshot) -> None:
        """Take up what a stop left open, to close it with the next trip."""
        self._alert = next((one for one in snapshot.alerts.values() if one.tenant == SYNTHETIC), None)

    def publish(self, changes: Changes, _cursor: int) -> None:
        """Follow the alarm through what was committed."""
        for alert in changes.alerts.values():
            if alert.tenant == SYNTHETIC:
                self._follow(alert)
        if self._trip is None or self._alert is None:
            return
        for one in changes.deliveries.values():
            if one.alert != self._alert.id or one.channel != CHANNEL:
                continue
            if one.state is DeliveryState.SENT:
                self._reached(Stage.DELIVERED)
                self._offer(Transport.RECEIPT, f"delivery/{DeliveryState.DISPLAYED}/{one.id}", b"")
            elif one.state is DeliveryState.DISPLAYED:
                self._reached(Stage.DISPLAYED)
                self._answer("close", outcome=Outcome.TEST, seen=self._alert.count)

    async def run(self) -> None:
        """Go round until cancelled, with the synthetic recipient's page open."""
        async with self._board.subscribe(teams=frozenset({SYNTHETIC}), page=True) as page:
            looking = asyncio.create_task(_look(page), name="synthetic page")
            try:
                await asyncio.sleep(self.every_s / FIRST_AFTER)
                while True:
                    await self.round()
                    await asyncio.sleep(self.every_s)
            finally:
                looking.cancel()

    async def round(self) -> None:
        """Send one alarm and wait for it to come home, or to be missed."""
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        trip = self._trip = Trip(self._clock.now(), {Stage.SENT: 0.0})
        self._home.clear()
        try:
            async with asyncio.timeout(min(WITHIN_S, self.every_s)):
                await self._publish(f"vaka/1/{BUTTON}/event", self._words())
                self._reached(Stage.ACKNOWLEDGED)
                await self._home.wait()
        except TimeoutError:
            trip.missed = f"it came as far as {list(trip.stages)[-1]}"
        except Exception as error:  # noqa: BLE001 - whatever keeps the alarm from arriving is what we look for
            trip.missed = f"{type(error).__name__}: {error}"
        self._trip = None
        self.trips.append(trip)
        await self._count(trip, loop.time())

    async def _count(self, trip: Trip, now: float) -> None:
        if trip.missed:
            self.missed_in_a_row += 1
            log.error("synthetic alarm missed, %d in a row: %s", self.missed_in_a_row, trip.missed)
            return
        self.missed_in_a_row = 0
        self.last_whole = now
        if self.whole is not None:
            with suppress(Exception):  # telling somebody outside must not end the watch
                await self.whole()

    def _follow(self, alert: Alert) -> None:
        if alert.state is AlertState.CLOSED:
            if self._alert is not None and alert.id == self._alert.id:
                self._alert = None
                self._reached(Stage.CLOSED)
                self._home.set()
            return
        self._alert = alert
        if self._trip is not None:
            self._reached(Stage.RAISED)

    def _reached(self, stage: Stage) -> None:
        if self._trip is not None and stage not in self._trip.stages:
            self._trip.stages[stage] = asyncio.get_running_loop().time() - self._began

    def _answer(self, action: str, **words: object) -> None:
        if self._alert is not None:
            payload = msgspec.json.encode({"actor": SYNTHETIC, **words})
            self._offer(Transport.PERSON, f"alert/{self._alert.id}/{action}", payload, source=SYNTHETIC)

    def _offer(self, transport: Transport, channel: str, payload: bytes, source: str = "") -> None:
        now = self._clock.now()
        self._intake.offer(Frame(transport, channel, payload, now, ingress="deadman", source=source))

    def _words(self) -> bytes:
        event = {
            "specversion": "1.0",
            "id": uuid4().hex,
            "source": f"vaka:{BUTTON}",
            "type": "vaka.alarm.manual.v1",
            "time": self._clock.now().isoformat(),
            "clockquality": "synced",
            "data": {"presses": 1},
        }
        return msgspec.json.encode(event)


async def _look(page: Subscription) -> None:
    """Take what the board brings, as an open page does."""
    while not page.closed:
        await page.next(60.0)
