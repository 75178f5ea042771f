"""Route: who is offered an alert, by which channels, and by when they must answer."""

from datetime import timedelta

from msgspec.structs import replace

from gateway.model.alert import Alert, AlertEntry, AlertState
from gateway.model.delivery import Delivery
from gateway.model.frame import Frame
from gateway.model.registry import Step
from gateway.pipeline.state import State


def route(state: State, frame: Frame, channels: tuple[str, ...]) -> None:
    """Turn every alert that this step offered into deliveries to the people of its present step."""
    for alert_id in state.offered:
        alert = state.alerts.get(alert_id)
        if alert is not None and alert.state is AlertState.OFFERED:
            _offer(state, frame, alert, channels)
    state.offered.clear()


def _offer(state: State, frame: Frame, alert: Alert, channels: tuple[str, ...]) -> None:
    step = _step(state, alert)
    within_s = min(step.within_s or alert.accept_within_s, alert.accept_within_s)
    deadline = min(alert.deadline or state.now, state.now + timedelta(seconds=within_s))
    offered = replace(alert, deadline=deadline, version=alert.version + 1)
    state.put_alert(
        offered,
        AlertEntry(
            alert=alert.id,
            version=offered.version,
            at=frame.received_at,
            action="offered",
            actor="vaka",
            frame=frame.position,
            detail=", ".join(step.to),
        ),
    )
    for recipient in step.to:
        for channel in channels:
            state.put_delivery(
                Delivery(
                    id=f"{alert.id}.{offered.version}.{recipient}.{channel}",
                    alert=alert.id,
                    recipient=recipient,
                    channel=channel,
                    step=alert.step,
                    round=offered.version,
                    queued_at=state.now,
                    deadline=deadline,
                )
            )


def _step(state: State, alert: Alert) -> Step:
    """Return the alert's step; the last one if the ladder got shorter, everybody if it is gone."""
    ladder = state.registry.ladders.get(alert.ladder)
    if ladder is not None:
        return ladder.steps[min(alert.step, len(ladder.steps) - 1)]
    return Step(to=tuple(state.registry.teams) or ("everybody",))
