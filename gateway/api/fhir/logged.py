"""What the log holds as resources: events, alerts, their histories and deliveries, page by page."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway.api.fhir.scope import Sight
from gateway.contract import LogSearch, Mark, Sought
from gateway.fhir.all_of import of_event
from gateway.fhir.asked import BadValue
from gateway.fhir.audited import answer_audit, entry_of, provenance
from gateway.fhir.kinds import KINDS
from gateway.fhir.measured import observation
from gateway.fhir.names import name_of
from gateway.fhir.terms import Resource
from gateway.fhir.told import care_course, communication, detected_issue, task
from gateway.model.alert import Alert, AlertEntry, AlertState
from gateway.model.delivery import Delivery
from gateway.model.event import Event

Wanted = Callable[[Resource], bool]
COURSE = "alert-"
"""Before the id of the note on a closed alert."""
LONGEST_COURSE = 1000
"""Lines of history that a note tells, the newest."""

SHAPES: Mapping[str, tuple[tuple[type, ...], ...]] = {
    "events": ((int,), (str,)),
    "alerts": ((int, str),),
    "entries": ((int, str, int),),
    "deliveries": ((int,),),
}
"""What a place in each source is made of: a place in the log or an event's id, for one."""


class Found(NamedTuple):
    """Resources in order, and where the next page begins."""

    resources: list[Resource]
    more: Mark | None


class Logged:
    """The log as far as somebody sees it. Reads a disk: not for the event loop."""

    def __init__(self, sight: Sight, search: LogSearch) -> None:
        self._sight = sight
        self._search = search
        alerts: tuple[str, ...] = ("alerts",)
        self._sources: dict[str, tuple[str, ...]] = {
            "Observation": ("events",),
            "MedicationDispense": ("events",),
            "Encounter": ("events",),
            "Composition": ("events", "alerts"),
            "AuditEvent": ("events", "entries"),
            "DetectedIssue": alerts,
            "Task": alerts,
            "Communication": ("deliveries",),
            "Provenance": ("entries",),
        }

    def read(self, kind: str, written: str) -> Resource | None:
        """Return a resource by its logical id, None when there is none or it is not seen."""
        if kind == "Composition" and written.startswith(COURSE):
            return self._of_alert(kind, written.removeprefix(COURSE))
        if kind in {"DetectedIssue", "Task"}:
            return self._of_alert(kind, written)
        if kind == "Communication":
            return self._delivery(written)
        if "events" in self._sources[kind]:
            event = self._search.event(written)
            if event is not None and event.type in KINDS[kind].words and self._sight.event(event):
                return _told(event, kind)
        return self._entry(kind, written) if "entries" in self._sources[kind] else None

    def page(self, kind: str, sought: Sought, wanted: Wanted, mark: Mark, limit: int) -> Found:
        """Return the resources after that place; a mark begins with the number of its source."""
        sources = self._sources[kind]
        at, inner = _place(sources, mark)
        found: list[Resource] = []
        while at < len(sources):
            part = getattr(self, f"_{sources[at]}")(kind, sought, wanted, inner, limit - len(found))
            found += part.resources
            if part.more is not None:
                return Found(found, (at, *part.more))
            at, inner = at + 1, ()
            if len(found) == limit and at < len(sources):
                return Found(found, (at,))
        return Found(found, None)

    def _events(self, kind: str, sought: Sought, wanted: Wanted, mark: Mark, limit: int) -> Found:
        made: dict[str, Resource] = {}

        def keep(event: Event) -> bool:
            told = _told(event, kind) if self._sight.event(event) else None
            if told is None or not wanted(told):
                return False
            made[event.id] = told
            return True

        types = sought.types & KINDS[kind].words if sought.types else KINDS[kind].words
        if not types:
            return Found([], None)
        narrowed = msgspec.structs.replace(sought, types=types, keep=keep)
        page = self._search.find_events(narrowed, mark, limit)
        return Found([made[event.id] for event in page.items], page.more)

    def _alerts(self, kind: str, sought: Sought, wanted: Wanted, mark: Mark, limit: int) -> Found:
        made: dict[str, Resource] = {}

        def keep(alert: Alert, entry: AlertEntry) -> bool:
            told = self._alert(kind, alert, entry) if self._sight.alert(alert) else None
            if told is None or not wanted(told):
                return False
            made[alert.id] = told
            return True

        page = self._search.find_alerts(msgspec.structs.replace(sought, keep_entry=keep), mark, limit)
        return Found([made[alert.id] for alert, _ in page.items], page.more)

    def _entries(self, kind: str, sought: Sought, wanted: Wanted, mark: Mark, limit: int) -> Found:
        def keep(alert: Alert, entry: AlertEntry) -> bool:
            return self._sight.alert(alert) and wanted(_line(kind, entry))

        page = self._search.find_entries(msgspec.structs.replace(sought, keep_entry=keep), mark, limit)
        return Found([_line(kind, entry) for _, entry in page.items], page.more)

    def _deliveries(self, _kind: str, sought: Sought, wanted: Wanted, mark: Mark, limit: int) -> Found:
        def keep(delivery: Delivery, alert: Alert) -> bool:
            return self._sight.alert(alert) and wanted(communication(delivery, alert))

        page = self._search.find_deliveries(msgspec.structs.replace(sought, keep_delivery=keep), mark, limit)
        return Found([communication(delivery, alert) for delivery, alert in page.items], page.more)

    def _of_alert(self, kind: str, written: str) -> Resource | None:
        alert = self._search.alert(name_of(written))
        if alert is None or not self._sight.alert(alert):
            return None
        newest = self._search.history(alert.id, limit=1)
        return self._alert(kind, alert, newest[-1] if newest else None)

    def _alert(self, kind: str, alert: Alert, newest: AlertEntry | None) -> Resource | None:
        if kind == "DetectedIssue":
            cause = self._search.event(alert.cause) if alert.cause else None
            return detected_issue(alert, newest, cause.type if cause else "")
        if kind == "Task":
            return task(alert, newest)
        if alert.state is not AlertState.CLOSED:
            return None
        return care_course(alert, self._search.history(alert.id, limit=LONGEST_COURSE))

    def _delivery(self, written: str) -> Resource | None:
        delivery = self._search.delivery(name_of(written))
        alert = self._search.alert(delivery.alert) if delivery is not None else None
        if delivery is None or alert is None or not self._sight.alert(alert):
            return None
        return communication(delivery, alert)

    def _entry(self, kind: str, written: str) -> Resource | None:
        named = entry_of(written)
        if named is None:
            return None
        name, version = name_of(named[0]), named[1]
        alert = self._search.alert(name)
        if alert is None or not self._sight.alert(alert):
            return None
        found: Sequence[AlertEntry] = self._search.history(name, after=version - 1, limit=1)
        return _line(kind, found[0]) if found and found[0].version == version else None


def _place(sources: Sequence[str], mark: Mark) -> tuple[int, Mark]:
    """Return the source and the place in it; BadValue for a mark that is none of ours."""
    if not mark:
        return 0, ()
    at, inner = mark[0], mark[1:]
    if isinstance(at, int) and 0 <= at < len(sources):
        shapes = SHAPES[sources[at]]
        if inner == () or any(tuple(map(type, inner)) == shape for shape in shapes):
            return at, inner
    raise BadValue("_page: found what no link of ours says; allowed: the next link of a page")


def _told(event: Event, kind: str) -> Resource | None:
    if kind == "Observation":
        return observation(event)
    return next((one for one in of_event(event) if one["resourceType"] == kind), None)


def _line(kind: str, entry: AlertEntry) -> Resource:
    return answer_audit(entry) if kind == "AuditEvent" else provenance(entry)
