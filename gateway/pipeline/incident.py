"""Incident: many technical alerts of one cause become one that a person answers; none of them is lost."""

from gateway.model.alert import Alert
from gateway.pipeline.cause import Cause
from gateway.pipeline.state import State


def absorb(state: State, alert: Alert, cause: Cause) -> bool:  # noqa: ARG001 - nothing is gathered yet
    """Take a new alert into the incident it belongs to; True when it must not be offered by itself.

    Called once an alert, after it was kept (`state.put_alert`) and before `state.offer`. When it
    returns True the alert has been kept again with its link to the incident, and the incident has been
    offered if that was needed. High alerts always get False.
    """
    return False
