"""Measured: a believed event as an Observation, its values as components."""

from collections.abc import Iterator, Mapping

from gateway.fhir.names import logical_id
from gateway.fhir.terms import (
    EVENT_ID,
    FIELD,
    MDC,
    UCUM,
    Resource,
    coding,
    concept,
    identifier,
    meta,
    moment,
    reference,
    without_none,
    word_codings,
)
from gateway.model.event import Event, flat_values
from gateway.model.vocabulary import ClockQuality

PRIVATE = frozenset({"credential", "grant", "visit"})
"""Whose key it was, and for which visit, is told in the audit alone."""
BATTERY_MDC, BATTERY_MDC_NAME = "67996", "MDC_ATTR_VAL_BATT_CHARGE"
UNITS: Mapping[str, tuple[str, str]] = {
    "battery_percent": ("%", "%"),
    "accuracy_m": ("m", "m"),
    "altitude_m": ("m", "m"),
    "speed_kmh": ("km/h", "km/h"),
    "latitude": ("deg", "deg"),
    "longitude": ("deg", "deg"),
    "open_s": ("s", "s"),
    "duration_s": ("s", "s"),
    "silent_s": ("s", "s"),
    "window_min": ("min", "min"),
}
"""UCUM codes by the field of the vocabulary, and how they are written for people."""
CATEGORY = concept(
    coding("http://terminology.hl7.org/CodeSystem/observation-category", "activity", "Activity")
)


def observation(event: Event) -> Resource:
    """Return what a device told, with the time it happened and the time we had it.

    A time that the device's clock did not vouch for is marked; one that it did not give is ours.
    """
    return without_none(
        {
            "resourceType": "Observation",
            "id": event.id,
            "meta": meta(event.received_at),
            "identifier": [identifier(EVENT_ID, event.id)],
            "status": "final",
            "category": [CATEGORY],
            "code": concept(*word_codings(event.type)),
            "subject": subject(event),
            "effectiveDateTime": moment(event.occurred_at),
            "issued": moment(event.received_at),
            "note": [{"text": f"the device's clock is {event.clock.value}"}]
            if event.clock is not ClockQuality.SYNCED
            else None,
            "device": reference("Device", logical_id(event.device)),
            "valueCodeableConcept": concept(*word_codings(event.type)[:1]),
            "component": list(components(event)),
        }
    )


def subject(event: Event) -> Resource:
    """Return whom it is about: the person watched over, else the home."""
    if event.person is not None:
        return reference("Patient", logical_id(event.person))
    return reference("Location", logical_id(event.home))


def components(event: Event) -> Iterator[Resource]:
    """Yield the values that say nothing of who it was."""
    for name, value in flat_values(event.values).items():
        if name in PRIVATE:
            continue
        codes = [coding(FIELD, name)]
        if name == "battery_percent":
            codes.append(coding(MDC, BATTERY_MDC, BATTERY_MDC_NAME))
        yield {"code": concept(*codes)} | _value(name, value)


def _value(name: str, value: object) -> Resource:
    if isinstance(value, bool):
        return {"valueBoolean": value}
    if isinstance(value, int) and name not in UNITS:
        return {"valueInteger": value} if abs(value) < 2**31 else {"valueString": str(value)}
    if isinstance(value, int | float):
        code, unit = UNITS.get(name, ("1", "1"))
        return {"valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": code}}
    return {"valueString": str(value)}
