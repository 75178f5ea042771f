"""Subscribing: who asked to be told over FHIR, kept on disk, each with a tap of its own."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway.contract import Clock, SessionStore, Tap
from gateway.fhir.subscribing import Subscription
from gateway.service.taps import TapRunner, Taps

KEPT = "subscription/"
MOST = 50
"""Subscriptions that are kept at once."""


class SubscriptionTap(Tap, Protocol):
    """A tap that tells one subscriber, and how many it was told."""

    number: int

    async def handshake(self) -> None:
        """Show the endpoint that the subscription begins; TapFault."""
        ...


Make = Callable[[Subscription, SessionStore], SubscriptionTap]


class Subscriptions:
    """All subscriptions; `load` once, then `add` and `drop` as people ask."""

    def __init__(self, store: SessionStore, taps: Taps, make: Make) -> None:
        self._store, self._taps, self._make = store, taps, make
        self._kept: dict[str, Subscription] = {}
        self._clock: Clock = taps.source.clock
        for key, body in store.load().items():
            if key.startswith(KEPT):
                one = msgspec.json.decode(body, type=Subscription)
                self._begin(one, make(one, store))

    @property
    def full(self) -> bool:
        """True when no more are taken."""
        return len(self._kept) >= MOST

    def of(self, actor: str) -> list[Subscription]:
        """Return what somebody has asked for."""
        return [one for one in self._kept.values() if one.actor == actor]

    def find(self, subscription_id: str, actor: str) -> Subscription | None:
        """Return one of somebody's own."""
        one = self._kept.get(subscription_id)
        return one if one is not None and one.actor == actor else None

    async def add(self, one: Subscription) -> None:
        """Begin a subscription: from now on, and durably. TapFault when a topic's endpoint says no."""
        tap = self._make(one, self._store)
        if one.topic:
            try:
                await tap.handshake()
            except BaseException:
                await tap.close()
                raise
        await asyncio.to_thread(self._store.save, {f"{KEPT}{one.id}": msgspec.json.encode(one)})
        self._begin(one, tap)

    async def drop(self, one: Subscription) -> None:
        """End a subscription, and forget it."""
        self._kept.pop(one.id, None)
        await self._taps.drop(f"subscription-{one.id}")
        gone = {f"{KEPT}{one.id}": None, f"sent/{one.id}": None}
        await asyncio.to_thread(self._store.save, gone)

    def standing(self, one: Subscription) -> tuple[str, str, int]:
        """Return a subscription's status, its error, and how many were told."""
        runner = self._taps.runners.get(f"subscription-{one.id}")
        if one.end is not None and self._clock.now() >= one.end:
            return "off", "", 0
        if runner is None:
            return "off", "", 0
        told = getattr(runner.tap, "number", 0)
        return ("error", runner.fault, told) if runner.fault else ("active", "", told)

    def close(self) -> None:
        """Release the storage."""
        self._store.close()

    def _begin(self, one: Subscription, tap: Tap) -> None:
        self._kept[one.id] = one
        self._taps.add(TapRunner(tap, self._taps.source))
