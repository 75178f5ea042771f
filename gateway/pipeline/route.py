"""Route: who is offered an alert, by which channels, and by when they must answer."""

from datetime import timedelta

from msgspec.structs import replace

from gateway.model.alert import Alert, AlertEntry, AlertState
from gateway.model.delivery import Delivery
from gateway.model.frame import Frame
from gateway.model.registry import WHOLE_TENANT, Step
from gateway.pipeline.episode import ladder_of
from gateway.pipeline.state import State


def route(state: State, frame: Frame, channels: tuple[str, ...]) -> None:
    """Turn every alert that this step offered into deliveries to the people of its present step.

    One that somebody has taken rings too when it was asked to: something new has happened.
    """
    for alert_id in state.offered:
        alert = state.alerts.get(alert_id)
        if alert is not None:
            _offer(state, frame, _on_a_ladder(state, alert), channels)
    state.offered.clear()


def _offer(state: State, frame: Frame, alert: Alert, channels: tuple[str, ...]) -> None:
    step = _step(state, alert)
    within_s = min(step.within_s or alert.accept_within_s, alert.accept_within_s)
    deadline = alert.deadline or state.now
    if alert.state is AlertState.OFFERED:
        deadline = min(deadline, state.now + timedelta(seconds=within_s))
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
    """Return the alert's step; the last one if the ladder got shorter, the whole tenant if it is gone."""
    ladder = state.registry.ladders.get(alert.ladder)
    if ladder is not None:
        return ladder.steps[min(alert.step, len(ladder.steps) - 1)]
    registry = state.registry
    teams = [team.id for team in registry.teams.values() if registry.units[team.unit].tenant == alert.tenant]
    return Step.model_construct(to=tuple(teams) or (f"{WHOLE_TENANT}{alert.tenant}",), within_s=None)


def _on_a_ladder(state: State, alert: Alert) -> Alert:
    """Put an alert whose ladder left the registry at the foot of the ladder that its home has now."""
    home = state.registry.homes.get(alert.home)
    if home is None or alert.ladder in state.registry.ladders:
        return alert
    return replace(alert, ladder=ladder_of(home, alert.type), step=0)
