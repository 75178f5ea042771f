"""History: every change of an alert with its line, in our words and in those of IHE ACM."""

from gateway.model.alert import Alert, AlertEntry, Phase
from gateway.model.frame import Frame
from gateway.pipeline.state import State

VAKA = "vaka"
"""The actor of what no person did."""
_PHASES = {
    "raised": Phase.START,
    "escalated": Phase.ESCALATE,
    "widened": Phase.ESCALATE,
    "lease_expired": Phase.ESCALATE,
    "arrival_missed": Phase.ESCALATE,
    "on_site_expired": Phase.ESCALATE,
    "accepted": Phase.ACKNOWLEDGE,
    "confirmed": Phase.ACKNOWLEDGE,
    "on_site": Phase.ACKNOWLEDGE,
    "cleared": Phase.END,
    "closed": Phase.END,
}
"""What our words are in IHE PCD-04; everything else continues."""


def write(
    state: State, alert: Alert, action: str, frame: Frame | int, *, actor: str = VAKA, detail: str = ""
) -> None:
    """Keep an alert's new value, whose version counts the line that is written with it."""
    before = state.alerts.get(alert.id)
    phase = _PHASES.get(action, Phase.CONTINUE)
    if before is not None and before.severity is not alert.severity:
        risen = alert.severity.rank < before.severity.rank
        phase = Phase.ESCALATE if risen else Phase.DEESCALATE
    entry = AlertEntry(
        alert=alert.id,
        version=alert.version,
        at=state.now,
        action=action,
        actor=actor,
        frame=frame if isinstance(frame, int) else frame.position,
        detail=detail,
        phase=phase,
        severity=alert.severity,
        type=alert.type,
    )
    state.put_alert(alert, entry)
