"""One resource of every kind that the gateway tells, for tests: a town with devices, events and alerts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from gateway.fhir.all_of import of_alert, of_entry, of_event
from gateway.fhir.places import consent, device, device_use, location, organization, patient
from gateway.model.alert import Alert, AlertEntry, AlertState, AlertType, Outcome, Phase, Severity
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.event import Event, event_id
from gateway.model.household import Device, Enrolment, Home, Person
from gateway.model.organisation import Ladder, Step, Team, Tenant, Unit
from gateway.model.registry import Registry, RegistryDocument
from gateway.model.status import DeviceStatus
from gateway.model.vocabulary import VOCABULARY, ClockQuality, DeviceKind, Values

AT = datetime(2026, 3, 1, 7, 30, 15, 250000, tzinfo=UTC)
FILLED: dict[str, Any] = {
    "battery_percent": 54.5,
    "link_quality": -70,
    "means": "tag",
    "credential": "tag-41",
    "visit": "visit-7",
    "open_s": 33.0,
    "presses": 2,
    "latitude": 65.58,
    "longitude": 22.15,
    "accuracy_m": 8.0,
    "altitude_m": 12.0,
    "speed_kmh": 3.2,
    "geofence": "home",
    "dose": "dose-1",
    "due_at": AT - timedelta(minutes=20),
    "window_min": 60.0,
    "outcome": "seen",
    "masking": 1,
    "slot": "night-1",
    "grant": "grant-3",
    "duration_s": 12.5,
    "code": "E17",
    "firmware": "2.1",
    "config_revision": 4,
    "location": "hall",
    "button": "1",
    "press": "long",
    "details": {"vendor": "x", "count": 3, "ratio": 0.5, "flag": True},
}


def registry() -> Registry:
    """Return a municipality with one home, whose devices are of every kind."""
    devices = [
        Device(f"t/{kind.value}-1", "t", "vaka", f"{kind.value}-1", kind, "Model 3") for kind in DeviceKind
    ]
    return Registry(
        RegistryDocument(
            tenant=(Tenant("t", "Testköping"),),
            unit=(Unit("u", "t", "Unit"),),
            team=(Team("night", "u", "Night"),),
            ladder=(Ladder("care", "t", (Step(to=("night",)),)),),
            home=(Home("home_1", "t", "u", "care", "care"),),
            person=(Person("p:1", "home_1", sex="female"),),
            device=tuple(devices),
            enrolment=tuple(
                Enrolment(device=one.id, home="home_1", person="p:1", since=AT) for one in devices
            ),
        )
    )


def values_of(word: str, *, filled: bool) -> Values:
    """Return values of a word, all fields filled or as few as may be."""
    kind = VOCABULARY[word].values
    names = {one.name: one for one in msgspec.structs.fields(kind)}
    chosen = {
        name: FILLED[name] for name, field in names.items() if name in FILLED and (filled or field.required)
    }
    return msgspec.convert(chosen, kind)


def events() -> Iterator[Event]:
    """Yield each word twice: with every value, and with as few as may be, about a home alone."""
    for number, word in enumerate(VOCABULARY):
        for filled in (True, False):
            at = AT + timedelta(seconds=number)
            yield Event(
                id=event_id("t/lock-1", f"{word}{filled}", at),
                type=word,
                device="t/lock-1",
                kind=DeviceKind.LOCK,
                home="home_1",
                person="p:1" if filled else None,
                occurred_at=at,
                received_at=at + timedelta(seconds=2),
                processed_at=at + timedelta(seconds=2),
                clock=ClockQuality.SYNCED if filled else ClockQuality.NONE,
                late_s=2.0,
                frame=number,
                values=values_of(word, filled=filled),
            )


def alerts() -> Iterator[tuple[Alert, list[AlertEntry], list[Delivery]]]:
    """Yield an alert in each state, with each outcome."""
    told = [(state, None) for state in AlertState if state is not AlertState.CLOSED]
    told += [(AlertState.CLOSED, outcome) for outcome in Outcome]  # type: ignore[list-item]
    for number, (state, outcome) in enumerate(told):
        severity = list(Severity)[number % 4]
        name = f"{number:032x}"
        alert = Alert(
            id=name,
            rule="sos",
            subject="home_1",
            severity=severity,
            type=AlertType.PERSON,
            text="sos",
            reason="a call for help",
            tenant="t",
            home="home_1",
            person="p:1" if number % 2 else None,
            device="t/lock-1",
            cause=event_id("t/lock-1", "x", AT),
            frame=7,
            occurred_at=AT,
            raised_at=AT,
            state=state,
            ladder="care",
            deadline=None if state is AlertState.CLOSED else AT + timedelta(minutes=1),
            accept_within_s=60,
            assignee="anna" if number > 1 else None,
            outcome=outcome,
            version=2,
        )
        entries = [
            AlertEntry(alert=name, version=n, at=AT, action=what, actor=who, frame=7, phase=phase)
            for n, (what, who, phase) in enumerate(
                [("raised", "sos", Phase.START), ("accepted", "anna <&>", Phase.ACKNOWLEDGE)], 1
            )
        ]
        deliveries = [
            Delivery(
                id=f"{number}{n}",
                alert=name,
                recipient="night",
                channel="webpush",
                step=0,
                round=1,
                queued_at=AT,
                deadline=AT,
                state=one,
                reason="no answer" if one is DeliveryState.FAILED else "",
            )
            for n, one in enumerate(DeliveryState)
        ]
        yield alert, entries, deliveries


def resources() -> Iterator[dict[str, Any]]:
    """Yield every resource of the town."""
    town = registry()
    yield organization(town.tenants["t"])
    yield location(town.homes["home_1"])
    yield patient(town.persons["p:1"], town)
    for one in town.devices.values():
        status = DeviceStatus(device=one.id, last_seen_at=AT, firmware="2.1")
        yield device(one, town, status)
        yield device(one, town, None)
        for found in (
            device_use(town.enrolments[one.id]),
            consent(town.enrolments[one.id], one.kind, town),
        ):
            if found is not None:
                yield found
    for event in events():
        yield from of_event(event)
    for alert, entries, deliveries in alerts():
        yield from of_alert(alert, entries, deliveries, "alarm.manual")
        for entry in entries:
            yield from of_entry(entry)
