"""Subscribing: who asked to be told over FHIR, kept on disk, each with a tap of its own."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from gateway.contract import Clock, SessionStore, TapFault
from gateway.fhir.subscribing import Subscription
from gateway.service.tap_process import TapProcess
from gateway.service.tap_talk import Subscribe, Unsubscribe, tap_of

log = logging.getLogger(__name__)

Tenants = Callable[[str], frozenset[str] | None]
SUBSCRIPTIONS = "subscriptions.db"
"""Who asked to be told, and how many they were, below the data directory."""
KEPT, SENT = "subscription/", "sent/"
MOST = 50
"""Subscriptions that are kept at once."""


class Subscriptions:
    """All subscriptions; `add` and `drop` as people ask.

    `may` gives the tenants that an actor may be told of today: empty for none, None for all. Who lost the
    right since, or lost tenants, is told no more of them, for a subscription must not outlive its token.
    """

    def __init__(self, store: SessionStore, taps: TapProcess, clock: Clock, may: Tenants) -> None:
        self._store, self._taps, self._clock, self._may = store, taps, clock, may
        self._kept: dict[str, Subscription] = {}
        for key, body in store.load().items():
            if key.startswith(KEPT):
                one = msgspec.json.decode(body, type=Subscription)
                self._kept[one.id] = one
                taps.expect(tap_of(one.id))

    @property
    def full(self) -> bool:
        """True when no more are taken."""
        return len(self._kept) >= MOST

    def told(self) -> tuple[Subscription, ...]:
        """Return every subscription that is to be told, each narrowed to what its actor may see today."""
        narrowed = [(one, self._today(one)) for one in self._kept.values()]
        for one, today in narrowed:
            if today is None:
                log.warning(
                    "fhir subscription %s is not told: %s may not subscribe any more", one.id, one.actor
                )
        return tuple(today for _, today in narrowed if today is not None)

    def of(self, actor: str | None) -> list[Subscription]:
        """Return what somebody has asked for; with None, what all have."""
        return [one for one in self._kept.values() if actor in (None, one.actor)]

    def find(self, subscription_id: str, actor: str | None) -> Subscription | None:
        """Return one of somebody's own; with None, anybody's."""
        return next((one for one in self.of(actor) if one.id == subscription_id), None)

    async def add(self, one: Subscription) -> None:
        """Begin a subscription: from now on, and durably. TapFault when a topic's endpoint says no."""
        await self._taps.ask(Subscribe(one))
        await asyncio.to_thread(self._store.save, {f"{KEPT}{one.id}": msgspec.json.encode(one)})
        self._kept[one.id] = one

    async def drop(self, one: Subscription) -> None:
        """End a subscription, and forget it."""
        self._kept.pop(one.id, None)
        gone = {f"{KEPT}{one.id}": None, f"{SENT}{one.id}": None}
        await asyncio.to_thread(self._store.save, gone)
        with suppress(TapFault):  # taps that are down begin without it
            await self._taps.ask(Unsubscribe(one.id))

    def standing(self, one: Subscription) -> tuple[str, str, int]:
        """Return a subscription's status, its error, and how many were told."""
        if one.end is not None and self._clock.now() >= one.end:
            return "off", "", 0
        if self._today(one) is None:
            return "off", "its owner may not subscribe any more", 0
        fault, told = self._taps.fault_of(tap_of(one.id))
        return ("error", fault, told) if fault else ("active", "", told)

    def _today(self, one: Subscription) -> Subscription | None:
        """Return a subscription narrowed to what its actor may see, None when that is nothing."""
        may = self._may(one.actor)
        if may is None:
            return one
        theirs = may & set(one.tenants) if one.tenants else may
        return replace(one, tenants=tuple(sorted(theirs))) if theirs else None

    def close(self) -> None:
        """Release the storage."""
        self._store.close()
