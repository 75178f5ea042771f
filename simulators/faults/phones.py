"""The ways out to people with their faults: a channel that refuses, hangs or is slow, a phone that is off."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from gateway.contract import ChannelFault as Refuses
from gateway.model.alert import Alert
from gateway.model.delivery import Delivery
from gateway.model.frame import Frame
from simulators.faults.active import Active, share_of
from simulators.faults.spec import ChannelFault, PhonesOff
from simulators.house.port import Hangs, Look, People

ANSWERS_WITHIN_S = 15.0
"""What the gateway waits for a channel (alert rules, section 6, decision 8); one that hangs takes longer."""


class Phones:
    """People behind channels and phones with faults; what a slow channel took rings much later."""

    def __init__(self, people: People, faults: Sequence[Active], seed: int) -> None:
        self._people, self._seed = people, seed
        self._channels = [one for one in faults if isinstance(one.fault, ChannelFault)]
        self._off = [one for one in faults if isinstance(one.fault, PhonesOff)]
        self._held: list[tuple[datetime, int, Delivery, Alert]] = []
        self._order = count()

    def watch(self, look: Look) -> None:
        """Hand on what shows alerts: the page does not fail with the phones."""
        self._people.watch(look)

    def ring(self, delivery: Delivery, alert: Alert, now: datetime) -> str:
        """Let a phone ring, if the channel and the phone do."""
        for active in self._channels:
            fault = active.fault
            if not isinstance(fault, ChannelFault) or not active.begins <= now < active.ends:
                continue
            if fault.channel in {"", delivery.channel} and active.chance(delivery.id).random() < fault.chance:
                return self._failing(fault, delivery, alert, now)
        return self._show(delivery, alert, now)

    def next_at(self) -> datetime | None:
        """Return when somebody next does something, or a held message comes through."""
        parts = (self._people.next_at(), self._held[0][0] if self._held else None)
        return min((at for at in parts if at is not None), default=None)

    def advance(self, now: datetime) -> Sequence[Frame]:
        """Return what people and phones tell the gateway by then, in order."""
        told: list[Frame] = []
        while self._held and self._held[0][0] <= now:
            at, _, delivery, alert = heappop(self._held)
            self._show(delivery, alert, at)
        told += self._people.advance(now)
        return told

    def _failing(self, fault: ChannelFault, delivery: Delivery, alert: Alert, now: datetime) -> str:
        if fault.mode == "dead":
            raise Refuses("the channel cannot be reached")
        if fault.mode == "hangs":
            raise Hangs("the channel does not answer", max(fault.seconds, ANSWERS_WITHIN_S + 1))
        heappush(self._held, (now + timedelta(seconds=fault.seconds), next(self._order), delivery, alert))
        return ""

    def _show(self, delivery: Delivery, alert: Alert, now: datetime) -> str:
        for active in self._off:
            off = share_of([delivery.recipient], active.fault.share, self._seed, f"off {active.fault.id}")
            if off and active.begins <= now < active.ends:
                return ""
        return self._people.ring(delivery, alert, now)
