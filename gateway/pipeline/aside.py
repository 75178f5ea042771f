"""Aside: why nobody is asked for a while (IEC 62682): shelved, suppressed with a link, out of service.

Each has its end, at which the alert is offered again. A High alert, and one about security, is never
set aside.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from msgspec.structs import replace

from gateway.contract import Refused
from gateway.model.alert import Alert, AlertState, AlertType, Route, Severity
from gateway.model.frame import Frame
from gateway.model.people import ContextKind
from gateway.pipeline import history
from gateway.pipeline.policy import for_staff
from gateway.pipeline.state import State

ASIDE = frozenset({AlertState.SHELVED, AlertState.SUPPRESSED, AlertState.OUT_OF_SERVICE})
SHELF = {
    Severity.MEDIUM: timedelta(hours=2),
    Severity.LOW: timedelta(hours=24),
    Severity.INFO: timedelta(hours=24),
}
"""How long an alert may be shelved (alert rules, section 5.0)."""
TECHNICAL_SHELF = timedelta(days=7)
"""The same for a Low one about technology."""
SUPPRESSED_FOR = timedelta(hours=24)
"""A link holds no longer, even if what it points to stays open."""
LONGEST_SERVICE = timedelta(days=30)


def shelve(state: State, alert: Alert, actor: str, frame: Frame, note: str, for_s: float | None) -> None:  # noqa: PLR0917 - the words of one sentence
    """Ask nobody for a while, for a reason; Refused when it may not be, or not for so long."""
    longest = _longest_shelf(alert)
    _refuse_urgent(alert, "shelved")
    if not note.strip():
        raise Refused("shelving needs a reason (note)")
    if for_s is None or not 0 < for_s <= longest.total_seconds():
        allowed = f"more than 0 and at most {longest.total_seconds():.0f} for this alert"
        raise Refused(f"for_s: found {for_s}; allowed: {allowed}")
    until = state.now + timedelta(seconds=for_s)
    aside = _set(alert, AlertState.SHELVED, until)
    detail = f"until {until.isoformat(timespec='seconds')}: {note}"
    history.write(state, aside, "shelved", frame, actor=actor, detail=detail)


def suppress(state: State, alert: Alert, actor: str, frame: Frame, note: str, by: str) -> None:  # noqa: PLR0917 - as above
    """Ask nobody while another open alert speaks for this one too; Refused when it cannot."""
    _refuse_urgent(alert, "suppressed")
    speaker = state.alerts.get(by)
    if speaker is None or speaker.id == alert.id or speaker.tenant != alert.tenant:
        raise Refused(f"by: found {by!r}; allowed: another open alert of the same tenant")
    if speaker.state in ASIDE or speaker.suppressed_by:
        raise Refused(f"by: {by} is set aside itself")
    until = state.now + min(SUPPRESSED_FOR, _longest_shelf(alert))
    aside = replace(_set(alert, AlertState.SUPPRESSED, until), suppressed_by=speaker.id)
    history.write(state, aside, "suppressed", frame, actor=actor, detail=f"by {by}: {note}".rstrip(": "))


def unshelve(state: State, alert: Alert, actor: str, frame: Frame, note: str) -> None:
    """Ask again at once."""
    if alert.state not in ASIDE:
        raise Refused("it is not set aside")
    back(state, alert, frame, "back", note, actor=actor)


def back(
    state: State, alert: Alert, frame: Frame | int, action: str, detail: str, *, actor: str = history.VAKA
) -> None:
    """Offer an alert again that was set aside, given back or handed on, from the first step of its policy."""
    until = state.now + timedelta(seconds=alert.accept_within_s)
    again = replace(offered_from_the_start(alert), deadline=until, version=alert.version + 1)
    history.write(state, again, action, frame, actor=actor, detail=detail)
    state.offer(alert.id)


def offered_from_the_start(alert: Alert) -> Alert:
    """Return the alert as nobody's, at the foot of its policy; its deadline is the caller's."""
    return replace(
        for_staff(alert),
        state=AlertState.OFFERED,
        assignee=None,
        step=0,
        wave=0,
        asked=(),
        eta=None,
        suppressed_by="",
    )


def release_suppressed(state: State, closed: Collection[str], frame: Frame | int) -> None:
    """Offer again what closed alerts spoke for, by whomever they were closed."""
    waiting = [one for one in state.alerts.values() if one.suppressed_by in closed and not one.incident]
    for alert in waiting:
        back(state, alert, frame, "back", f"{alert.suppressed_by} is closed")


def maintained(state: State, alert: Alert, frame: Frame | int) -> bool:
    """Set a technical alert aside while its home or device is being worked on; True when it was."""
    until = _maintenance_until(state, alert)
    if until is None or alert.severity is Severity.HIGH or alert.type is not AlertType.TECHNICAL:
        return False
    aside = _set(alert, AlertState.OUT_OF_SERVICE, until)
    detail = f"maintenance until {until.isoformat(timespec='seconds')}"
    history.write(state, aside, "out_of_service", frame, detail=detail)
    return True


def begin_service(state: State, home: str, frame: Frame) -> None:
    """Set aside what is open and unanswered about the technology of a home that is worked on now."""
    for alert in [one for one in state.alerts.values() if one.home == home]:
        if alert.state is AlertState.OFFERED:
            maintained(state, alert, frame)


def end_service(state: State, home: str, frame: Frame) -> None:
    """Offer again what maintenance set aside in a home that nobody works on any more."""
    resting = [a for a in state.alerts.values() if a.home == home and a.state is AlertState.OUT_OF_SERVICE]
    for alert in resting:
        if _maintenance_until(state, alert) is None:
            back(state, alert, frame, "back", "maintenance has ended")


def _maintenance_until(state: State, alert: Alert) -> datetime | None:
    ends = [
        one.until
        for one in state.contexts_of(alert.home)
        if one.kind is ContextKind.MAINTENANCE
        and one.in_force(state.now)
        and one.ref in {"", alert.device, alert.subject}
    ]
    return min(max(ends), state.now + LONGEST_SERVICE) if ends else None


def _set(alert: Alert, to: AlertState, until: datetime) -> Alert:
    free = replace(offered_from_the_start(alert), state=to, deadline=until)
    return replace(free, version=alert.version + 1)


def _longest_shelf(alert: Alert) -> timedelta:
    if alert.type is AlertType.TECHNICAL and alert.severity is Severity.LOW:
        return TECHNICAL_SHELF
    return SHELF.get(alert.severity, timedelta(0))


def _refuse_urgent(alert: Alert, done: str) -> None:
    if alert.severity is Severity.HIGH or alert.route is Route.SECURITY:
        why = "high" if alert.severity is Severity.HIGH else "about security"
        raise Refused(f"an alert that is {why} is never {done}")
