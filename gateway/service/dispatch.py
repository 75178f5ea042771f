"""Dispatch: deliveries to the channels, each channel for itself; the proof comes back through the journal."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from gateway.contract import Changes, ChannelFault, Clock, Intake, Notifier, Snapshot
from gateway.model.alert import Alert, AlertState
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Frame, Transport
from gateway.service.circuit import Circuit, CircuitState, RetryBudget
from gateway.service.lane import Lane

log = logging.getLogger(__name__)

DELIVER_WITHIN_S = 15.0
"""A channel that has not answered by then has failed for this delivery (alert rules, 6, decision 8).

A channel whose protocol needs longer says so by `within_s`."""
WORKERS = 3
"""Deliveries that one channel may have under way, so that one that hangs does not hold the next."""
URGENT_WORKERS = 2
"""Further ones that only High deliveries may take: what is milder can hang without holding them up."""
RECEIPT_AGAIN_S = 0.1


class Way:
    """One channel with all that belongs to it alone."""

    def __init__(self, notifier: Notifier) -> None:
        self.notifier = notifier
        self.lane = Lane()
        self.circuit = Circuit()
        self.budget = RetryBudget()
        self.under_way = 0


class Dispatcher:
    """One queue and a few workers a channel, High first, so that a slow channel delays no other.

    `told` hears of a channel that is given a rest (with the reason), and that is back (with "").
    """

    def __init__(
        self,
        notifiers: Mapping[str, Notifier],
        intake: Intake,
        clock: Clock,
        alert: Callable[[str], Alert | None],
        *,
        told: Callable[[str, str], None] = lambda _channel, _reason: None,
    ) -> None:
        self._ways = {channel: Way(notifier) for channel, notifier in notifiers.items()}
        self._intake = intake
        self._clock = clock
        self._alert = alert
        self._told = told
        self._unwanted: asyncio.Queue[tuple[Delivery, str]] = asyncio.Queue()

    def load(self, snapshot: Snapshot) -> None:
        """Take up the deliveries that a stop left in the queue."""
        for delivery in snapshot.deliveries.values():
            if delivery.state is DeliveryState.QUEUED:
                self._put(delivery, snapshot.alerts.get(delivery.alert))

    def publish(self, changes: Changes, _cursor: int) -> None:
        """Queue the deliveries of a commit, and forget those that it settled unsent."""
        for delivery in changes.deliveries.values():
            if delivery.state is DeliveryState.QUEUED:
                self._put(delivery, changes.alerts.get(delivery.alert) or self._alert(delivery.alert))
            elif (way := self._ways.get(delivery.channel)) is not None:
                way.lane.drop(delivery.id)

    async def run(self) -> None:
        """Work all channels until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for channel, way in self._ways.items():
                    for number in range(URGENT_WORKERS + WORKERS):
                        work = self._work(way, urgent=number < URGENT_WORKERS)
                        group.create_task(work, name=f"channel {channel}, {number}")
                group.create_task(self._turn_away(), name="channels that are not there")
        finally:
            for way in self._ways.values():
                await way.notifier.close()

    def report(self) -> dict[str, Any]:
        """Return how each channel stands, for the health page."""
        now = asyncio.get_running_loop().time()
        return {
            channel: {
                "circuit": way.circuit.state.value,
                "reason": way.circuit.reason,
                "faults_in_a_row": way.circuit.faults,
                "waiting": len(way.lane),
                "under_way": way.under_way,
                "oldest_waiting_s": round(way.lane.oldest_s(now), 1),
            }
            for channel, way in self._ways.items()
        }

    def resting(self) -> dict[str, str]:
        """Return the channels that are given a rest, with the reason."""
        return {
            channel: way.circuit.reason
            for channel, way in self._ways.items()
            if way.circuit.state is not CircuitState.CLOSED
        }

    def _put(self, delivery: Delivery, alert: Alert | None) -> None:
        way = self._ways.get(delivery.channel)
        if way is None:
            self._unwanted.put_nowait((delivery, f"there is no channel {delivery.channel}"))
            return
        wait_s = self._clock.wait_s(delivery.due_at) if delivery.due_at else 0.0
        way.lane.put(delivery, alert.severity.rank if alert else 0, wait_s)

    async def _turn_away(self) -> None:
        while True:
            delivery, reason = await self._unwanted.get()
            await self._receipt(delivery, DeliveryState.FAILED, reason)

    async def _work(self, way: Way, *, urgent: bool) -> None:
        while True:
            rank, delivery = await way.lane.take(urgent=urgent)
            alert = self._alert(delivery.alert)
            needless = _needless(delivery, alert) or self._too_late(delivery)
            if needless or alert is None:
                await self._receipt(delivery, DeliveryState.SKIPPED, needless)
                continue
            way.under_way += 1
            try:
                await self._try(way, delivery, alert, urgent=rank == 0)
            finally:
                way.under_way -= 1

    def _too_late(self, delivery: Delivery) -> str:
        late = delivery.attempt > 1 and self._clock.now() >= delivery.deadline
        return "its time was over before the next attempt" if late else ""

    async def _try(self, way: Way, delivery: Delivery, alert: Alert, *, urgent: bool) -> None:
        """Let the channel try. A High delivery tries a channel at rest too: there is nothing to lose."""
        now = asyncio.get_running_loop().time
        if not way.circuit.lets_through(now()) and not urgent:
            reason = f"the channel rests after {way.circuit.faults} faults: {way.circuit.reason}"
            await self._receipt(delivery, DeliveryState.FAILED, reason, again=way.budget.take())
            return
        rested = way.circuit.opened_at is not None
        try:
            reason = await self._deliver(way.notifier, delivery, alert)
        except ChannelFault as fault:
            way.circuit.fault(now(), str(fault))
            if not rested and way.circuit.opened_at is not None:
                log.warning("channel %s is given a rest: %s", delivery.channel, fault)
                self._told(delivery.channel, str(fault))
            await self._receipt(delivery, DeliveryState.FAILED, str(fault), again=urgent or way.budget.take())
            return
        if reason:
            way.circuit.undecided()
        else:
            way.circuit.worked()
            way.budget.earned()
            if rested:
                log.warning("channel %s works again", delivery.channel)
                self._told(delivery.channel, "")
        await self._receipt(delivery, DeliveryState.FAILED if reason else DeliveryState.SENT, reason)

    async def _deliver(self, notifier: Notifier, delivery: Delivery, alert: Alert) -> str:
        """Try once; the attempt is a task of its own, so that neither its end nor its deafness is ours."""
        within_s: float = getattr(notifier, "within_s", DELIVER_WITHIN_S)
        attempt = asyncio.create_task(_attempt(notifier, delivery, alert), name=f"delivery {delivery.id}")
        attempt.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, however late
        try:
            await asyncio.wait({attempt}, timeout=within_s)
        finally:
            late = attempt.cancel()
        if late:
            raise ChannelFault(f"no answer within {within_s:.0f} s")
        if attempt.cancelled():
            raise ChannelFault("the channel gave its own request up")
        return attempt.result()

    async def _receipt(
        self, delivery: Delivery, reached: DeliveryState, reason: str, *, again: bool = False
    ) -> None:
        """Hand the proof in; a journal that is full is waited for: this worker has nothing better to do."""
        frame = Frame(
            transport=Transport.RECEIPT,
            channel=f"delivery/{reached}/{delivery.id}{'/again' if again else ''}",
            payload=reason.encode(),
            received_at=self._clock.now(),
            ingress="dispatch",
        )
        while not self._intake.offer(frame):  # noqa: ASYNC110 - the intake offers no event for room
            await asyncio.sleep(RECEIPT_AGAIN_S)


async def _attempt(notifier: Notifier, delivery: Delivery, alert: Alert) -> str:
    try:
        return str(await notifier.deliver(delivery, alert) or "")
    except ChannelFault:
        raise
    except Exception as error:  # a channel may be a stranger's: its fault is this delivery's reason
        log.warning("channel %s failed with %s", delivery.channel, type(error).__name__)
        raise ChannelFault(f"the channel failed with {type(error).__name__}") from error


def _needless(delivery: Delivery, alert: Alert | None) -> str:
    """Say why a delivery need not go out any more, "" when it must.

    The newest round goes out whatever the alert's state: a High alert that comes again rings again. Of an
    older round, only what belongs to the step at which the alert is still offered.
    """
    if alert is None or alert.state is AlertState.CLOSED:
        return "answered before it was sent"
    if delivery.round >= alert.version:
        return ""
    if alert.state is not AlertState.OFFERED:
        return "taken by somebody"
    return "" if delivery.step == alert.step else "the next step was asked before it was sent"
