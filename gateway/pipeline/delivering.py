"""Delivering: one recipient's way through the channels, from the first ring to the proof."""

from datetime import datetime
from hashlib import blake2b

from gateway.model.alert import Alert
from gateway.model.delivery import Delivery
from gateway.model.frame import Frame
from gateway.pipeline.state import State

ID_BYTES = 10


def deliver(state: State, frame: Frame, alert: Alert, recipient: str, deadline: datetime) -> None:
    """Ring one recipient (a team or a person on duty) for an alert that must be answered by `deadline`."""
    for channel in state.channels:
        parts = f"{alert.id}\0{alert.version}\0{recipient}\0{channel}"
        state.put_delivery(
            Delivery(
                id=blake2b(parts.encode(), digest_size=ID_BYTES).hexdigest(),
                alert=alert.id,
                recipient=recipient,
                channel=channel,
                step=alert.step,
                round=alert.version,
                queued_at=state.now,
                deadline=deadline,
                frame=frame.position,
            )
        )
