"""Receipt: the proof of how far a delivery got comes back as an input like any other."""

from msgspec.structs import replace

from gateway.model.delivery import DeliveryState
from gateway.model.frame import Frame
from gateway.model.trace import Trace, Verdict
from gateway.pipeline.state import State


def receipt(state: State, frame: Frame) -> None:
    """Apply `delivery/<state>/<id>` with the channel's reason as payload."""
    _, _, rest = frame.channel.partition("/")
    reached, _, delivery_id = rest.partition("/")
    delivery = state.deliveries.get(delivery_id)
    if delivery is None or reached not in set(DeliveryState):
        state.trace(Trace(frame.position, "receipt", Verdict.IGNORED, "no such delivery waits for a receipt"))
        return
    reason = frame.payload.decode(errors="replace")[:200]
    state.put_delivery(replace(delivery, state=DeliveryState(reached), reason=reason))
