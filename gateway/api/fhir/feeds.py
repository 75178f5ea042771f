"""Feeds: where the resources of each type come from, page by page and one by one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.contract import Search
from gateway.contract.search import EntryKey
from gateway.fhir.all_of import UNTOLD
from gateway.fhir.audited import DOORS, answer_audit, door_audit, entry_of, provenance
from gateway.fhir.given import GIVEN, NOT_GIVEN, dispense
from gateway.fhir.looks import LOOKS, care_note, encounter
from gateway.fhir.measured import observation
from gateway.fhir.names import logical_id, name_of
from gateway.fhir.places import consent, device, device_use, location, organization, patient
from gateway.fhir.terms import Resource
from gateway.fhir.told import care_course, communication, detected_issue, task
from gateway.model.alert import Alert, AlertEntry, AlertState
from gateway.model.event import Event
from gateway.model.registry import Registry
from gateway.model.status import DeviceStatus
from gateway.model.synthetic import SYNTHETIC
from gateway.model.vocabulary import VOCABULARY

HISTORY = 500
"""Lines of an alert's history that its note tells."""
CARE_NOTE = "alert-"
"""Before the alert's id in the id of its note, which no event's id begins with."""


@dataclass(frozen=True)
class House:
    """What feeds read: the log, the registry as last committed, what devices last said, and for whom."""

    search: Search
    registry: Registry
    statuses: Mapping[str, DeviceStatus]
    tenants: frozenset[str]

    def of_tenant(self, tenant: str) -> bool:
        """Tell whether the reader may know of this municipality."""
        return tenant != SYNTHETIC and (not self.tenants or tenant in self.tenants)

    def of_home(self, home: str) -> bool:
        """Tell whether the reader may know of this home; of one that is gone only who may know of all."""
        found = self.registry.homes.get(home)
        return self.of_tenant(found.tenant) if found is not None else not self.tenants


@dataclass(frozen=True)
class Step:
    """What a page asks of a feed: go on after `key`, look at `most` at most, not before `frame`."""

    key: str
    most: int
    frame: int
    words: frozenset[str] = frozenset()
    device: str = ""


@dataclass(frozen=True)
class Batch:
    """What a feed found, and the key to go on from; None at its end."""

    resources: Sequence[tuple[str, Resource]]
    key: str | None


Make = Callable[[Any, House], Resource | None]
MakeAlert = Callable[[Alert, Sequence[AlertEntry], str], Resource | None]
"""Makes it of an alert, the newest lines of its history, and the word of what caused it."""


class Listed:
    """Resources of the registry, in the order of their names."""

    def __init__(self, names: Callable[[House], Mapping[str, Any]], make: Make) -> None:
        self._names, self._make = names, make

    def page(self, house: House, step: Step) -> Batch:
        """Return the next."""
        left = sorted(name for name in self._names(house) if name > step.key)
        found = [(name, self._made(house, name)) for name in left[: step.most]]
        key = left[step.most - 1] if len(left) > step.most else None
        return Batch([(name, one) for name, one in found if one is not None], key)

    def check(self, key: str) -> None:
        """Refuse a key that is none of this feed; ValueError."""
        del key  # any name may be gone by now

    def one(self, house: House, written: str) -> Resource | None:
        """Return one by its logical id."""
        names = self._names(house)
        name = name_of(written)
        if name not in names:
            name = next((one for one in names if logical_id(one) == written), "")
        return self._made(house, name) if name else None

    def _made(self, house: House, name: str) -> Resource | None:
        return self._make(self._names(house)[name], house)


class Happened:
    """Resources of events, in the order of the log."""

    def __init__(self, words: frozenset[str], make: Callable[[Event], Resource]) -> None:
        self.words, self._make = words, make

    def page(self, house: House, step: Step) -> Batch:
        """Return what fits of the next events."""
        words = self.words & step.words if step.words else self.words
        after = int(step.key) if step.key else step.frame * PLACES - 1
        found, key = house.search.events_after(after, step.most, types=words, device=step.device)
        mine = [(str(place), self._make(event)) for place, event in found if house.of_home(event.home)]
        return Batch(mine, None if key is None else str(key))

    def check(self, key: str) -> None:
        """Refuse a key that is none of this feed; ValueError."""
        int(key or 0)

    def one(self, house: House, written: str) -> Resource | None:
        """Return one by the event's id."""
        found = house.search.event(written)
        if found is None or found[1].type not in self.words or not house.of_home(found[1].home):
            return None
        return self._make(found[1])


class Raised:
    """Resources of alerts, in the order of their ids."""

    def __init__(self, make: MakeAlert, *, whole: bool) -> None:
        self._make, self._lines = make, HISTORY if whole else 1

    def page(self, house: House, step: Step) -> Batch:
        """Return the next."""
        alerts = house.search.alerts_after(step.key, step.most)
        made = [(one.id, self._made(house, one)) for one in alerts]
        key = alerts[-1].id if len(alerts) == step.most else None
        return Batch([(name, one) for name, one in made if one is not None], key)

    def check(self, key: str) -> None:
        """Refuse a key that is none of this feed; ValueError."""
        del key  # as above

    def one(self, house: House, written: str) -> Resource | None:
        """Return one by the alert's id."""
        alert = house.search.alert(written.removeprefix(CARE_NOTE))
        found = self._made(house, alert) if alert is not None else None
        return found if found is not None and found["id"] == written else None

    def _made(self, house: House, alert: Alert) -> Resource | None:
        if not house.of_tenant(alert.tenant):
            return None
        cause = house.search.event(alert.cause) if alert.cause else None
        lines = house.search.history(alert.id, limit=self._lines)
        return self._make(alert, lines, cause[1].type if cause else "")


class Sent:
    """Communications, in the order in which deliveries were made."""

    def page(self, house: House, step: Step) -> Batch:
        """Return the next."""
        rows = house.search.deliveries_after(int(step.key or 0), step.most)
        made = [(str(number), self._made(house, one.id, one.alert)) for number, one in rows]
        key = str(rows[-1][0]) if len(rows) == step.most else None
        return Batch([(name, one) for name, one in made if one is not None], key)

    def check(self, key: str) -> None:
        """Refuse a key that is none of this feed; ValueError."""
        int(key or 0)

    def one(self, house: House, written: str) -> Resource | None:
        """Return one by the delivery's id."""
        delivery = house.search.delivery(name_of(written))
        return self._made(house, delivery.id, delivery.alert) if delivery is not None else None

    def _made(self, house: House, delivery_id: str, alert_id: str) -> Resource | None:
        delivery, alert = house.search.delivery(delivery_id), house.search.alert(alert_id)
        if delivery is None or alert is None or not house.of_tenant(alert.tenant):
            return None
        return communication(delivery, alert)


class Written:
    """Resources of the lines of alerts' histories, in their order."""

    def __init__(self, make: Callable[[AlertEntry], Resource]) -> None:
        self._make = make

    def page(self, house: House, step: Step) -> Batch:
        """Return the next."""
        rows = house.search.entries_after(_parts(step.key) if step.key else (step.frame, "", 0), step.most)
        mine = [(_key(one), self._make(one)) for one in rows if self._known(house, one)]
        return Batch(mine, _key(rows[-1]) if len(rows) == step.most else None)

    def check(self, key: str) -> None:
        """Refuse a key that is none of this feed; ValueError."""
        _parts(key)

    def one(self, house: House, written: str) -> Resource | None:
        """Return one by the alert's id and the version."""
        found = entry_of(written)
        rows = house.search.history(found[0], after=found[1] - 1, limit=1) if found else []
        mine = [one for one in rows if found and one.version == found[1] and self._known(house, one)]
        return self._make(mine[0]) if mine else None

    @staticmethod
    def _known(house: House, entry: AlertEntry) -> bool:
        alert = house.search.alert(entry.alert)
        return alert is not None and house.of_tenant(alert.tenant)


def _parts(key: str) -> EntryKey:
    frame, alert, version = key.split("/") if key else ("0", "", "0")
    return int(frame), alert, int(version)


def _key(entry: AlertEntry) -> str:
    return f"{entry.frame}/{entry.alert}/{entry.version}"


Feed = Listed | Happened | Raised | Sent | Written
PLACES = 4096
"""Places of the log for each frame."""


def _enrolled(house: House) -> Mapping[str, Any]:
    return house.registry.enrolments


def _of_enrolment(make: Callable[[Any, House], Resource | None]) -> Make:
    return lambda one, house: make(one, house) if house.of_home(one.home) else None


def _course(alert: Alert, lines: Sequence[AlertEntry], _word: str) -> Resource | None:
    return care_course(alert, lines) if alert.state is AlertState.CLOSED else None


def _issue(alert: Alert, lines: Sequence[AlertEntry], word: str) -> Resource:
    return detected_issue(alert, lines[-1] if lines else None, word)


def _task(alert: Alert, lines: Sequence[AlertEntry], _word: str) -> Resource:
    return task(alert, lines[-1] if lines else None)


FEEDS: Mapping[str, Sequence[Feed]] = {
    "Organization": [
        Listed(
            lambda house: house.registry.tenants, lambda o, h: organization(o) if h.of_tenant(o.id) else None
        )
    ],
    "Location": [
        Listed(
            lambda house: house.registry.homes, lambda o, h: location(o) if h.of_tenant(o.tenant) else None
        )
    ],
    "Patient": [
        Listed(
            lambda house: house.registry.persons,
            lambda o, h: patient(o, h.registry) if h.of_home(o.home) else None,
        )
    ],
    "Device": [
        Listed(
            lambda house: house.registry.devices,
            lambda o, h: device(o, h.registry, h.statuses.get(o.id)) if h.of_tenant(o.tenant) else None,
        )
    ],
    "DeviceUseStatement": [Listed(_enrolled, _of_enrolment(lambda one, _: device_use(one)))],
    "Consent": [
        Listed(
            _enrolled,
            _of_enrolment(lambda one, h: consent(one, h.registry.devices[one.device].kind, h.registry)),
        )
    ],
    "Observation": [Happened(frozenset(VOCABULARY) - UNTOLD, observation)],
    "MedicationDispense": [Happened(GIVEN | NOT_GIVEN, dispense)],
    "Encounter": [Happened(LOOKS, encounter)],
    "Composition": [
        Happened(LOOKS, care_note),
        Raised(
            lambda a, lines, _: care_course(a, lines) if a.state is AlertState.CLOSED else None, whole=True
        ),
    ],
    "DetectedIssue": [Raised(_issue, whole=False)],
    "Task": [Raised(_task, whole=False)],
    "Communication": [Sent()],
    "AuditEvent": [Happened(DOORS, door_audit), Written(answer_audit)],
    "Provenance": [Written(provenance)],
}
"""Every type that is served."""


def read(house: House, kind: str, written: str) -> Resource | None:
    """Return one resource, None where there is none that the reader may know of."""
    return next((found for feed in FEEDS[kind] if (found := feed.one(house, written)) is not None), None)


def every(house: House, kind: str, most: int, frame: int = 0) -> Iterator[Resource]:
    """Yield all resources of a type, read in steps of `most`."""
    for feed in FEEDS[kind]:
        key: str | None = ""
        while key is not None:
            batch = feed.page(house, Step(key, most, frame))
            yield from (one for _, one in batch.resources)
            key = batch.key
