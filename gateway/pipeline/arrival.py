"""Arrival: that somebody is on site is said by them, or shown by a lock or a visit with their credential."""

from datetime import timedelta

from msgspec.structs import replace

from gateway.model.alert import Alert, AlertState
from gateway.model.event import Event
from gateway.model.frame import Frame
from gateway.model.people import Whereabouts
from gateway.model.vocabulary import LockValues, VisitValues
from gateway.pipeline import history
from gateway.pipeline.people import WHEREABOUTS
from gateway.pipeline.policy import no_longer
from gateway.pipeline.state import State

ON_SITE_LEASE = timedelta(hours=2)
"""How long being on site holds before somebody must ask how it went."""
ETA_MISSED_AFTER = timedelta(minutes=5)
"""How long after their time of arrival somebody is waited for (alert rules, 5.5, X6)."""
EVIDENCE = frozenset({"lock.unlocked", "lock.unlatched", "visit.started"})


def arrived(state: State, alert: Alert, staff: str, frame: Frame, note: str) -> None:
    """Note that somebody is at the alert's home; from now on it is how it went that is waited for."""
    there = replace(
        alert,
        state=AlertState.ON_SITE,
        assignee=staff,
        deadline=no_longer(alert, staff, state.now + ON_SITE_LEASE),
        suppressed_by="",
        version=alert.version + 1,
    )
    history.write(state, there, "on_site", frame, actor=staff, detail=note)
    _saw(state, staff, alert.home)


def witness(state: State, event: Event, frame: Frame) -> None:
    """Take a lock or a visit with a credential of the staff as proof of where they are.

    It puts their accepted alerts of that home on site; it never takes an alert for them.
    """
    if event.type not in EVIDENCE or not isinstance(event.values, LockValues | VisitValues):
        return
    credential = event.values.credential
    staff = state.people.by_credential(state.registry, credential) if credential else None
    if staff is None:
        return
    _saw(state, staff.ref, event.home)
    for alert in state.alerts_of(event.home):
        if alert.assignee == staff.ref and alert.state is AlertState.ACCEPTED:
            arrived(state, alert, staff.ref, frame, f"shown by {event.type} of {event.device}")


def _saw(state: State, staff: str, home: str) -> None:
    if state.people.known(state.registry, staff) is not None and home:
        seen = Whereabouts(staff=staff, home=home, at=state.now)
        state.people.keep(WHEREABOUTS, staff, seen)
