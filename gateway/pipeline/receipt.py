"""Receipt: the proof of how far a delivery got comes back as an input like any other."""

from msgspec.structs import replace

from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Frame
from gateway.model.trace import Trace, Verdict
from gateway.pipeline.delivering import displayed, failed, shown
from gateway.pipeline.state import State

AGAIN = "again"
"""Marks a failure of the channel itself, which may pass: `delivery/failed/<id>/again`."""
SHOWN = "shown"
MAX_REASON = 200
_FURTHER = (
    DeliveryState.QUEUED,
    DeliveryState.SENT,
    DeliveryState.DELIVERED,
    DeliveryState.DISPLAYED,
    DeliveryState.ACCEPTED,
)
_UNPROVED = frozenset({DeliveryState.QUEUED, DeliveryState.SENT})
"""What a failure may still overtake: who took a message may report later that it did not arrive."""


def receipt(state: State, frame: Frame) -> None:
    """Apply `delivery/<state>/<id>` with a reason as payload, or `shown/<alert>` with a recipient.

    A proof holds once it is there: one that comes twice, late or out of order takes nothing back.
    """
    parts = frame.channel.split("/")
    if parts[0] == SHOWN and len(parts) == 2:
        if not shown(state, parts[1], frame.payload.decode(errors="replace"), frame):
            _ignore(state, frame, "nothing is outstanding that could be shown")
        return
    delivery = state.deliveries.get(parts[2]) if len(parts) in (3, 4) and parts[0] == "delivery" else None
    if delivery is None or parts[1] not in set(DeliveryState):
        _ignore(state, frame, "no such delivery waits for a receipt")
        return
    reached = DeliveryState(parts[1])
    if not _tells_more(delivery, reached):
        _ignore(state, frame, f"{reached} says no more than {delivery.state}, which is known")
        return
    reason = frame.payload.decode(errors="replace")[:MAX_REASON]
    state.put_delivery(replace(delivery, state=reached, reason=reason))
    if reached is DeliveryState.FAILED:
        failed(state, delivery, frame, again=parts[3:] == [AGAIN])
    elif reached is DeliveryState.DISPLAYED:
        displayed(state, delivery)


def _tells_more(delivery: Delivery, reached: DeliveryState) -> bool:
    if reached in (DeliveryState.FAILED, DeliveryState.SKIPPED):
        return delivery.state in _UNPROVED
    if reached is DeliveryState.QUEUED:
        return delivery.state is DeliveryState.QUEUED
    return _FURTHER.index(reached) > _FURTHER.index(delivery.state)


def _ignore(state: State, frame: Frame, reason: str) -> None:
    state.trace(Trace(frame.position, "receipt", Verdict.IGNORED, reason))
