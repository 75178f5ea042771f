"""Chatter: a device whose technical alert comes and goes becomes one that stays (alert rules, 5.6, S10)."""

from datetime import timedelta

from msgspec.structs import replace

from gateway.model.alert import Alert, AlertType, Severity
from gateway.model.status import Timer
from gateway.pipeline.flood import OWNER
from gateway.pipeline.state import State

MOST, WITHIN = 5, timedelta(minutes=5)
"""More transitions in that time are chatter (alert rules, 2 and 5.6, S10)."""
FORGET = "forget"
"""Name of the timer that drops what is remembered of a device that came to rest."""
CHATTERS = "chatters"
"""The value that marks an alert as one of a device that chatters."""


def steadied(state: State, before: Alert, after: Alert) -> Alert:
    """Return the alert as it must be kept: latched once it has come and gone too often.

    Only Low and Medium technical alerts: what a person needs is never taken for noise. A latched alert
    stays active, so that it rings no more until a person closes it.
    """
    if before.active is after.active or after.type is not AlertType.TECHNICAL:
        return after
    if after.severity is Severity.HIGH or after.latched:
        return after
    subject = f"{after.subject}/~{after.rule}"
    since = (state.now - WITHIN).timestamp()
    moments = [one for one in state.recall(OWNER, subject).get("moments", []) if one > since]
    moments = [*moments, state.now.timestamp()][-(MOST + 1) :]
    state.remember(OWNER, subject, {"moments": moments})
    due_at = state.now + WITHIN
    state.arm(Timer(owner=OWNER, subject=subject, name=FORGET, due_at=due_at, set_at=state.now))
    if len(moments) <= MOST:
        return after
    return replace(after, active=True, latched=True, values={**after.values, CHATTERS: True})
