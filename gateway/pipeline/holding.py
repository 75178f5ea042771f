"""Holding: while a new device is tried where nobody lives, its alarms ring the engineer before the staff.

An alert that is held is an alert as any other: open, with a deadline, and with a policy whose first step is
the engineer for a minute and whose further steps are the staff's. Nothing else decides about it (ADR 13).
"""

from datetime import timedelta

from msgspec.structs import replace

from gateway.model.alert import Alert, AlertState
from gateway.model.commissioning import MARK
from gateway.model.frame import Frame
from gateway.model.people import PolicyStep
from gateway.pipeline import aside
from gateway.pipeline.policy import policy_of
from gateway.pipeline.route import ANSWERED
from gateway.pipeline.state import State

HELD_S = 60.0
"""So long the engineer is asked alone."""


def asked_first(state: State, alert: Alert) -> Alert:
    """Decide whether a new alert rings the engineer who tries its device before the staff.

    Only while its check is open, the device was never signed off, and nobody lives where it is. Else the
    alert goes where it goes, and the engineer gets a copy.
    """
    device = alert.device or ""
    check = state.checks.open.get(device)
    if check is None:
        return alert
    alert = replace(alert, values={**alert.values, MARK: check.actor})
    if state.checks.of(device).signed or lived_in(state, device):
        return alert
    policy = policy_of(state.registry, alert)
    engineer = PolicyStep(to=(), person=check.actor, within_s=HELD_S)
    until = min(alert.deadline or state.now, state.now + timedelta(seconds=HELD_S))
    return replace(alert, policy=replace(policy, steps=(engineer, *policy.steps)), deadline=until)


def lived_in(state: State, device: str) -> bool:
    """Tell whether a device watches for somebody, or somebody lives where it is."""
    enrolment = state.registry.enrolments.get(device)
    return (
        enrolment is None or enrolment.person is not None or bool(state.registry.persons_of(enrolment.home))
    )


def held(alert: Alert) -> bool:
    """Tell whether the staff were not asked yet, because an engineer is asked first."""
    if alert.policy is None or alert.state is AlertState.CLOSED:
        return False
    first = alert.policy.steps[0]
    theirs = alert.state not in ANSWERED or alert.assignee == first.person
    return bool(first.person) and alert.step == 0 and theirs


def release(state: State, device: str, frame: Frame, why: str) -> None:
    """Offer every held alert of a device to the staff at once."""
    for alert in [one for one in state.alerts.values() if one.device == device and held(one)]:
        aside.back(state, alert, frame, "released_from_check", why)
