"""The eight steps of one frame, as the journal and the store remember them."""

from collections.abc import Sequence

import msgspec

from gateway.api.context import Context
from gateway.api.models import AlertView, EventView, FrameView, RemarkView, StepView, WalkView
from gateway.model.alert import Alert
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.event import Event
from gateway.model.forwarded import hop_of
from gateway.model.frame import INTERNAL, Frame
from gateway.model.trace import Trace, Verdict

SHOWN_BYTES = 4096
SHOWN_DELIVERIES = 200
_UNSENT = frozenset({DeliveryState.QUEUED, DeliveryState.FAILED, DeliveryState.SKIPPED})
STEPS = ("transport", "journal", "decode", "normalise", "decide", "route", "commit", "deliver")
_STEP_OF = {"answer": "decide", "receipt": "decide", "registry": "decide", "forwarding": "decode"}
_STOPS = frozenset(Verdict) - {Verdict.JUDGED}


class _Facts(msgspec.Struct):
    frame: Frame
    remarks: Sequence[Trace]
    events: Sequence[Event]
    alerts: Sequence[Alert]
    deliveries: Sequence[Delivery]
    committed: bool


def read_walk(ctx: Context, position: int) -> WalkView | None:
    """Return the walk of the frame at a journal position, None when the journal has none; blocking."""
    frames = ctx.journal.read(position - 1, 1) if position > 0 else []
    if not frames or frames[0].position != position:
        return None
    store = ctx.store
    alerts = store.alerts_of_frame(position)
    facts = _Facts(
        frame=frames[0],
        remarks=store.traces(frame=position),
        events=[event for _, event in store.events(frame=position)],
        alerts=alerts,
        deliveries=[one for alert in alerts for one in store.deliveries(alert.id, limit=SHOWN_DELIVERIES)],
        committed=position <= ctx.board.cursor,
    )
    return WalkView(
        frame=frame_view(facts.frame),
        steps=_steps(facts),
        remarks=[RemarkView.model_validate(remark) for remark in facts.remarks],
        events=[EventView.of(event) for event in facts.events],
        alerts=[AlertView.of(alert) for alert in alerts],
    )


def frame_view(frame: Frame) -> FrameView:
    """Return a frame with its first bytes in hexadecimal."""
    return FrameView(
        position=frame.position,
        transport=frame.transport.value,
        channel=frame.channel,
        ingress=frame.ingress,
        source=frame.source,
        retained=frame.retained,
        duplicate=frame.duplicate,
        fault=frame.fault,
        received_at=frame.received_at,
        payload_bytes=len(frame.payload),
        payload_hex=frame.payload[:SHOWN_BYTES].hex(),
    )


def _steps(facts: _Facts) -> list[StepView]:
    """Say of every step whether the frame passed it; after the step where it stopped there is nothing."""
    stop = _stop(facts)
    found: list[StepView] = []
    for number, name in enumerate(STEPS, 1):
        if stop is not None and name == stop.name:
            found.append(stop.model_copy(update={"number": number}))
        elif stop is not None and number > STEPS.index(stop.name) + 1 and name != "commit":
            found.append(StepView(number=number, name=name, state="none"))
        else:
            found.append(_passed(facts, number, name))
    return found


def _stop(facts: _Facts) -> StepView | None:
    if facts.frame.fault:
        clause = next((remark.clause for remark in facts.remarks), "transport")
        return StepView(number=0, name="transport", state="stopped", reason=facts.frame.fault, clause=clause)
    for remark in facts.remarks:
        step = _STEP_OF.get(remark.step, remark.step)
        if remark.verdict in _STOPS and step in STEPS and not facts.events:
            return StepView(number=0, name=step, state="stopped", reason=remark.reason, clause=remark.clause)
    return None


def _passed(facts: _Facts, number: int, name: str) -> StepView:
    if not facts.committed and number > 2:
        return StepView(number=number, name=name, state="waiting")
    said = _SAID[name](facts)
    return StepView(number=number, name=name, state="none" if said is None else "passed", reason=said or "")


def _transport(facts: _Facts) -> str:
    frame = facts.frame
    sender = f", from {frame.source}" if frame.source else ""
    hop = hop_of(frame)
    return f"{frame.transport.value} {frame.channel}{sender}{'; ' if hop else ''}{hop}"


def _journal(facts: _Facts) -> str:
    return f"on disk as frame {facts.frame.position}; only then was the sender told"


def _decode(facts: _Facts) -> str | None:
    if facts.frame.transport in INTERNAL:
        return "made inside the house: nothing to decode"
    return f"believed events: {len(facts.events)}" if facts.events else "read"


def _normalise(facts: _Facts) -> str | None:
    return ", ".join(f"{event.type} of {event.device}" for event in facts.events) or None


def _decide(facts: _Facts) -> str | None:
    judged = [remark.reason for remark in facts.remarks if remark.verdict is Verdict.JUDGED]
    judged += [f"{alert.severity.value} alert {alert.id} by rule {alert.rule}" for alert in facts.alerts]
    if judged:
        return "; ".join(judged)
    return "no rule raised anything" if facts.events else None


def _route(facts: _Facts) -> str | None:
    recipients = sorted({one.recipient for one in facts.deliveries})
    return f"offered to {', '.join(recipients)}" if recipients else None


def _commit(facts: _Facts) -> str:
    return f"events: {len(facts.events)}, alerts: {len(facts.alerts)}; with the cursor in one transaction"


def _deliver(facts: _Facts) -> str | None:
    if not facts.deliveries:
        return None
    reached = sum(one.state not in _UNSENT for one in facts.deliveries)
    faults = sorted({f"{one.channel}: {one.reason}" for one in facts.deliveries if one.reason})
    return "; ".join([f"{reached} of {len(facts.deliveries)} deliveries sent", *faults])


_SAID = {
    "transport": _transport,
    "journal": _journal,
    "decode": _decode,
    "normalise": _normalise,
    "decide": _decide,
    "route": _route,
    "commit": _commit,
    "deliver": _deliver,
}
