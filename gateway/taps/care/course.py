"""Course: an alert's history as a care record tells it, so that nobody writes it a second time."""

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.model.alert import Alert, AlertEntry
from gateway.pipeline.history import VAKA
from gateway.service.tapping import Answers, Words
from gateway.taps.care.records import Course, Delivered, Step

ENDS = 250
"""Lines that are told of the beginning and of the end of a course; an unanswered alert repeats for ever."""
DELIVERIES = 200
RULES_OWN = frozenset({"raised", "repeated", "changed", "cleared"})
BY_ETA = "there by "
"""How the history says that who accepted gave a time of arrival."""
UNDERWAY = frozenset({"accepted", "confirmed"})


def step_of(entry: AlertEntry, alert: Alert, text: Callable[[str], str]) -> Step:
    """Return one line of history; `text` turns an action into what staff read."""
    mechanical = entry.actor in (VAKA, "")
    by = "system" if mechanical else "rule" if _of_a_rule(entry, alert) else "person"
    return Step(
        version=entry.version,
        at=entry.at,
        action=entry.action,
        text=text(entry.action),
        by=by,  # type: ignore[arg-type] # one of the three
        actor=entry.actor,
        detail=entry.detail,
        severity=entry.severity.value if entry.severity else "",
    )


def _of_a_rule(entry: AlertEntry, alert: Alert) -> bool:
    return entry.actor == alert.rule or entry.action in RULES_OWN


def bounded(alert: Alert, version: int, answers: Answers) -> list[AlertEntry]:
    """Return the history up to and with a version, of a very long one its beginning and its end; blocking."""
    history = answers.history(alert.id, after=0, limit=ENDS)
    if version > ENDS:
        history += answers.history(alert.id, after=max(ENDS, version - ENDS), limit=ENDS)
    return [entry for entry in history if entry.version <= version]


def course_of(alert: Alert, version: int, answers: Answers, words: Words) -> Course:
    """Return what was done up to and with a version, and who was told; blocking."""
    steps = tuple(
        step_of(entry, alert, lambda action: words.get(f"history.{action}", action))
        for entry in bounded(alert, version, answers)
    )
    delivered = tuple(
        Delivered(at=one.queued_at, to=one.recipient, channel=one.channel, state=one.state.value)
        for one in answers.deliveries(alert.id, limit=DELIVERIES)
    )
    return Course(steps=steps, left_out=version - len(steps), delivered=delivered)


def needed_since(
    history: Sequence[AlertEntry], alert: Alert, urgent: Callable[[AlertEntry, Alert], bool]
) -> datetime | None:
    """Return when somebody was first needed in the home, or said that they come; None for never."""
    for entry in history:
        coming = entry.action in UNDERWAY and entry.detail.startswith(BY_ETA)
        if coming or entry.action == "on_site" or urgent(entry, alert):
            return entry.at
    return None


def arrived_at(history: Sequence[AlertEntry]) -> datetime | None:
    """Return when somebody was first on site."""
    return next((entry.at for entry in history if entry.action == "on_site"), None)
