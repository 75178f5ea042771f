"""Dispatch: deliveries to the channels, each channel for itself; the proof comes back through the journal."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from gateway.contract import Changes, Clock, Intake, Notifier, Snapshot
from gateway.model.alert import Alert, AlertState
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Frame, Transport

log = logging.getLogger(__name__)

DELIVER_WITHIN_S = 15.0
"""A channel that has not answered by then has failed for this delivery (alert rules, 6, decision 8)."""
WORKERS = 3
"""Deliveries that one channel may have under way, so that one that hangs does not hold the next."""


class Dispatcher:
    """One queue and a few workers a channel, most severe first, so that a slow channel delays no other."""

    def __init__(
        self,
        notifiers: Mapping[str, Notifier],
        intake: Intake,
        clock: Clock,
        alert: Callable[[str], Alert | None],
    ) -> None:
        self._notifiers = notifiers
        self._intake = intake
        self._clock = clock
        self._alert = alert
        self._order = 0
        self._queues: dict[str, asyncio.PriorityQueue[tuple[int, int, Delivery]]] = {
            channel: asyncio.PriorityQueue() for channel in notifiers
        }

    def load(self, snapshot: Snapshot) -> None:
        """Take up the deliveries that a stop left in the queue."""
        for delivery in snapshot.deliveries.values():
            self._put(delivery, snapshot.alerts.get(delivery.alert))

    def publish(self, changes: Changes, _cursor: int) -> None:
        """Queue the deliveries of a commit."""
        for delivery in changes.deliveries.values():
            if delivery.state is DeliveryState.QUEUED:
                self._put(delivery, changes.alerts.get(delivery.alert))

    async def run(self) -> None:
        """Work all channels until cancelled."""
        async with asyncio.TaskGroup() as group:
            for channel in self._notifiers:
                for number in range(WORKERS):
                    group.create_task(self._work(channel), name=f"channel {channel}, {number}")

    def _put(self, delivery: Delivery, alert: Alert | None) -> None:
        queue = self._queues.get(delivery.channel)
        if queue is None:
            self._receipt(delivery, DeliveryState.FAILED, f"there is no channel {delivery.channel}")
            return
        self._order += 1
        queue.put_nowait((alert.severity.rank if alert else 0, self._order, delivery))

    async def _work(self, channel: str) -> None:
        notifier, queue = self._notifiers[channel], self._queues[channel]
        while True:
            _, _, delivery = await queue.get()
            alert = self._alert(delivery.alert)
            reason = _needless(delivery, alert)
            if not reason and alert is not None:
                reason = await self._deliver(notifier, delivery, alert)
            self._receipt(delivery, DeliveryState.FAILED if reason else DeliveryState.SENT, reason)

    async def _deliver(self, notifier: Notifier, delivery: Delivery, alert: Alert) -> str:
        """Try once; the attempt is a task of its own, so that neither its end nor its deafness is ours."""
        attempt = asyncio.create_task(_attempt(notifier, delivery, alert), name=f"delivery {delivery.id}")
        try:
            await asyncio.wait({attempt}, timeout=DELIVER_WITHIN_S)
        finally:
            late = attempt.cancel()
        if late:
            return f"no answer within {DELIVER_WITHIN_S:.0f} s"
        return "the channel gave its own request up" if attempt.cancelled() else attempt.result()

    def _receipt(self, delivery: Delivery, reached: DeliveryState, reason: str) -> None:
        frame = Frame(
            transport=Transport.RECEIPT,
            channel=f"delivery/{reached}/{delivery.id}",
            payload=reason.encode(),
            received_at=self._clock.now(),
            ingress="dispatch",
        )
        self._intake.offer(frame)


async def _attempt(notifier: Notifier, delivery: Delivery, alert: Alert) -> str:
    try:
        return str(await notifier.deliver(delivery, alert) or "")
    except Exception as error:  # noqa: BLE001 - a channel may be a stranger's: its fault is this delivery's reason
        log.warning("channel %s failed with %s", delivery.channel, type(error).__name__)
        return f"the channel failed with {type(error).__name__}"


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
