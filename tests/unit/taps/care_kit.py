"""What the log would hold of a town in virtual time, and the pages that taps are given of it."""

from typing import Any

from msgspec.structs import replace

from gateway.api.texts import texts
from gateway.contract import Changes, Page
from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery
from gateway.model.event import Event
from gateway.model.frame import Transport
from gateway.model.registry import RegistryDocument
from gateway.taps.care.making import Asked, records_of
from gateway.taps.care.records import CareRecord, Kind
from tests.unit.pipeline.town import START, Town, document

BOX, PENDANT = "t/box-1", "t/sos-1"


class Book:
    """All that was committed, and the questions that taps ask of it."""

    def __init__(self) -> None:
        self.events_of: dict[int, list[Event]] = {}
        self.entries: list[AlertEntry] = []
        self.alerts: dict[str, Alert] = {}
        self.sent: dict[str, Delivery] = {}

    def add(self, changes: Changes, upto: int) -> Page:
        """Keep what was committed; returns its page."""
        for event in changes.events:
            self.events_of.setdefault(event.frame, []).append(event)
        self.entries += changes.entries
        self.alerts |= changes.alerts
        self.sent |= changes.deliveries
        return Page(
            after=upto - 1,
            upto=upto,
            events=list(enumerate(changes.events, upto * 4096)),
            entries=list(changes.entries),
            alerts={entry.alert: self.alerts[entry.alert] for entry in changes.entries},
        )

    def history(
        self, alert_id: str, *, after: int | None = None, limit: int | None = None
    ) -> list[AlertEntry]:
        found = [line for line in self.entries if line.alert == alert_id and line.version > (after or 0)]
        if limit is None:
            return found
        return found[-limit:] if after is None else found[:limit]

    def deliveries(self, alert_id: str, *, limit: int | None = None) -> list[Delivery]:
        return [sent for sent in self.sent.values() if sent.alert == alert_id][-(limit or 1000) :]

    def event_word(self, event_id: str) -> str:
        found = [one.type for events in self.events_of.values() for one in events if one.id == event_id]
        return found[0] if found else ""

    def events(self, *, frame: int | None = None, limit: int = 100) -> list[tuple[int, Event]]:
        return list(enumerate(self.events_of.get(frame or 0, ())))[:limit]


class CareTown:
    """A town, its book, and the records that come of each thing that happens there."""

    def __init__(self, registry: RegistryDocument | None = None) -> None:
        self.book = Book()
        self.town = Town()
        self.asked = Asked(self.book, lambda: self.town.state.registry, texts("sv"))
        body = (registry or with_a_box()).to_json()
        self.page(self.town.take(Transport.REGISTRY, "registry", body))

    def page(self, changes: Changes) -> Page:
        return self.book.add(changes, self.town.position)

    def records(self, changes: Changes) -> list[CareRecord]:
        return records_of(self.page(changes), self.asked)

    def send(self, device: str, word: str, **data: Any) -> list[CareRecord]:
        return self.records(self.town.send(device, word, **data))

    def answer(self, alert: str | None, action: str, **more: Any) -> list[CareRecord]:
        return self.records(self.town.answer(alert or "", action, **more))

    def later(self, **delta: float) -> list[CareRecord]:
        return self.records(self.town.later(**delta))


def with_a_box() -> RegistryDocument:
    """Return the town's registry with a dispenser that has one dose a day, 13:30 to 14:30 Swedish time."""
    plain = document()
    more = document(
        device=[
            {"id": BOX, "tenant": "t", "adapter": "vaka", "native_id": BOX, "kind": "medication_dispenser"}
        ],
        enrolment=[
            {
                "device": BOX,
                "home": "h1",
                "person": "p1",
                "since": START,
                "supervised": False,
                "doses": [{"ref": "noon", "at": "13:30:00", "minutes": 60}],
            }
        ],
    )
    return replace(plain, device=(*plain.device, *more.device), enrolment=(*plain.enrolment, *more.enrolment))


def one(records: list[CareRecord], kind: Kind) -> CareRecord:
    """Return the one record of a kind."""
    (found,) = [record for record in records if record.kind is kind]
    return found
