"""People at work: phones that ring, and carers who take an alert, go there and close it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

import msgspec

from gateway.model.alert import Alert
from gateway.model.delivery import Delivery
from gateway.model.frame import Frame, Transport


class Crew:
    """Everybody answers in the order in which phones showed something; chance has a stream of its own."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._agenda: list[tuple[datetime, int, Frame]] = []
        self._order = count()
        self._going: set[str] = set()

    def ring(self, delivery: Delivery, alert: Alert, now: datetime) -> str:
        """Show it after a few seconds; the first who is called goes, and closes it on the spot."""
        self._later(now, self._rng.uniform(1, 8), Transport.RECEIPT, f"delivery/displayed/{delivery.id}", b"")
        if alert.id not in self._going:
            self._going.add(alert.id)
            self._go(delivery.recipient, alert, now)
        return ""

    def next_at(self) -> datetime | None:
        """Return when somebody next does something."""
        return self._agenda[0][0] if self._agenda else None

    def advance(self, now: datetime) -> Sequence[Frame]:
        """Return what they tell the gateway by then."""
        told: list[Frame] = []
        while self._agenda and self._agenda[0][0] <= now:
            told.append(heappop(self._agenda)[2])
        return told

    def _go(self, who: str, alert: Alert, now: datetime) -> None:
        accept_s = self._rng.uniform(10, 45)
        arrive_s = accept_s + self._rng.uniform(180, 900)
        close_s = arrive_s + self._rng.uniform(120, 900)
        self._answer(now, accept_s, alert, "accept", actor=who, eta_s=900.0)
        self._answer(now, arrive_s, alert, "on_site", actor=who)
        self._answer(now, close_s, alert, "close", actor=who, outcome="real", seen=1_000_000)

    def _answer(self, now: datetime, in_s: float, alert: Alert, action: str, **said: Any) -> None:
        body = msgspec.json.encode(said)
        self._later(now, in_s, Transport.PERSON, f"alert/{alert.id}/{action}", body)

    def _later(self, now: datetime, in_s: float, transport: Transport, channel: str, payload: bytes) -> None:
        at = now + timedelta(seconds=round(in_s, 3))
        frame = Frame(transport, channel, payload, at, ingress="simulation")
        heappush(self._agenda, (at, next(self._order), frame))


class Nobody:
    """Phones that take every message and are never looked at."""

    def ring(self, _delivery: Delivery, _alert: Alert, _now: datetime) -> str:
        """Take it, and show nothing."""
        return ""

    def next_at(self) -> datetime | None:
        """Return None: nobody ever does anything."""
        return None

    def advance(self, _now: datetime) -> Sequence[Frame]:
        """Return nothing."""
        return ()
