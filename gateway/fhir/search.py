"""Search: the parameters that each type can be searched by, as data, and whether a resource fits them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from gateway.fhir.terms import Resource

Kind = Literal["token", "reference", "date"]


class Param(NamedTuple):
    """A search parameter of HL7 FHIR R4: its kind, where its values stand, what they may lead to."""

    kind: Kind
    paths: tuple[str, ...]


class SearchFault(ValueError):  # noqa: N818 - whose fault it is: the search's
    """A search that cannot be understood; says what was found and what is allowed."""


ID = Param("token", ("id",))
UPDATED = Param("date", ("meta.lastUpdated",))
IDENTIFIER = Param("token", ("identifier",))
COMMON: Mapping[str, Param] = {"_id": ID, "_lastUpdated": UPDATED, "identifier": IDENTIFIER}


def _of(**more: Param) -> Mapping[str, Param]:
    return {**COMMON, **{name.replace("__", "-"): param for name, param in more.items()}}


def _token(*paths: str) -> Param:
    return Param("token", paths)


def _reference(*paths: str) -> Param:
    return Param("reference", paths)


def _date(*paths: str) -> Param:
    return Param("date", paths)


_PATIENT = _reference("subject", "patient", "for")
PARAMS: Mapping[str, Mapping[str, Param]] = {
    "Organization": _of(),
    "Location": _of(organization=_reference("managingOrganization"), status=_token("status")),
    "Patient": _of(organization=_reference("managingOrganization"), gender=_token("gender")),
    "Device": _of(
        patient=_reference("patient"),
        location=_reference("location"),
        organization=_reference("owner"),
        type=_token("type"),
        status=_token("status"),
        model=_token("modelNumber"),
    ),
    "DeviceUseStatement": _of(
        patient=_reference("subject"), subject=_reference("subject"), device=_reference("device")
    ),
    "Consent": _of(patient=_reference("patient"), status=_token("status"), date=_date("dateTime")),
    "Observation": _of(
        patient=_reference("subject"),
        subject=_reference("subject"),
        device=_reference("device"),
        code=_token("code"),
        category=_token("category"),
        status=_token("status"),
        date=_date("effectiveDateTime"),
    ),
    "MedicationDispense": _of(
        patient=_reference("subject"),
        subject=_reference("subject"),
        performer=_reference("performer.actor"),
        status=_token("status"),
        type=_token("category"),
        whenhandedover=_date("whenHandedOver"),
        whenprepared=_date("whenPrepared"),
    ),
    "Encounter": _of(
        patient=_reference("subject"),
        subject=_reference("subject"),
        location=_reference("location.location"),
        status=_token("status"),
        type=_token("type"),
        reason__code=_token("reasonCode"),
        date=_date("period.start"),
    ),
    "Composition": _of(
        patient=_reference("subject"),
        subject=_reference("subject"),
        encounter=_reference("encounter"),
        entry=_reference("section.entry"),
        status=_token("status"),
        type=_token("type"),
        date=_date("date"),
    ),
    "DetectedIssue": _of(
        patient=_reference("patient"),
        author=_reference("author"),
        implicated=_reference("implicated"),
        code=_token("code"),
        status=_token("status"),
        identified=_date("identifiedDateTime"),
    ),
    "Task": _of(
        patient=_reference("for"),
        subject=_reference("for"),
        focus=_reference("focus"),
        owner=_token("owner.identifier"),
        status=_token("status"),
        business__status=_token("businessStatus"),
        priority=_token("priority"),
        modified=_date("lastModified"),
        authored__on=_date("authoredOn"),
    ),
    "Communication": _of(
        patient=_reference("subject"),
        subject=_reference("subject"),
        about=_reference("about"),
        recipient=_token("recipient.identifier"),
        status=_token("status"),
        medium=_token("medium"),
        sent=_date("sent"),
    ),
    "AuditEvent": _of(
        agent=_token("agent.who.identifier"),
        entity=_reference("entity.what"),
        source=_reference("source.observer"),
        type=_token("type"),
        subtype=_token("subtype"),
        outcome=_token("outcome"),
        date=_date("recorded"),
    ),
    "Provenance": _of(target=_reference("target"), recorded=_date("recorded")),
}
"""Every type that is served with its parameters (HL7 FHIR R4, search parameter registry)."""
PREFIX = re.compile(
    r"^(eq|ne|ge|le|gt|lt)?"
    r"(\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?)?)?)$"
)
Fits = Callable[[Resource], bool]


def fits(kind: str, asked: Sequence[tuple[str, str]]) -> Fits:
    """Return whether a resource fits all that is asked, each a parameter and its text; SearchFault."""
    tests = [_test(kind, name, text) for name, text in asked]
    return lambda resource: all(test(resource) for test in tests)


def found_at(resource: Any, path: str) -> Iterator[Any]:
    """Yield the values at a path of a resource, through every list on it."""
    if isinstance(resource, list):
        for one in resource:
            yield from found_at(one, path)
        return
    head, _, rest = path.partition(".")
    value = resource.get(head) if isinstance(resource, dict) else None
    if value is None:
        return
    if rest:
        yield from found_at(value, rest)
    elif isinstance(value, list):
        yield from value
    else:
        yield value


def lower_bound(asked: Sequence[tuple[str, str]]) -> datetime | None:
    """Return the earliest `_lastUpdated` that can fit, None where there is no bound."""
    spans = [_span(text) for name, text in asked if name == "_lastUpdated"]
    return max((start for prefix, start, _ in spans if prefix in {"ge", "gt", "eq"}), default=None)


def _test(kind: str, name: str, text: str) -> Fits:
    param = PARAMS[kind].get(name)
    if param is None:
        allowed = ", ".join(sorted(PARAMS[kind]))
        raise SearchFault(f"{kind}: found the search parameter {name!r}; allowed: {allowed}")
    one_of = [_value(param.kind, name, one) for one in text.split(",")]

    def fit(resource: Resource) -> bool:
        values = [value for path in param.paths for value in found_at(resource, path)]
        return any(test(value) for value in values for test in one_of)

    return fit


def _value(kind: Kind, name: str, text: str) -> Callable[[Any], bool]:
    if kind == "date":
        return _dated(name, text)
    if kind == "reference":
        wanted = text.rpartition("/fhir/")[2]
        return lambda value: (
            isinstance(value, dict)
            and (
                value.get("reference") == wanted
                or ("/" not in wanted and str(value.get("reference", "")).partition("/")[2] == wanted)
            )
        )
    system, bar, code = text.rpartition("|")
    return lambda value: any(
        (not code or mine == code) and (not bar or theirs == system) for theirs, mine in _codes(value)
    )


def _codes(value: Any) -> Iterator[tuple[str, str]]:
    """Yield system and code of what a token may stand for."""
    if isinstance(value, str):
        yield "", value
    elif isinstance(value, dict):
        for one in value.get("coding", ()):
            yield one.get("system", ""), one.get("code", "")
        if "code" in value or "value" in value:
            yield value.get("system", ""), str(value.get("code", value.get("value", "")))
        if "coding" not in value and "text" in value:
            yield "", value["text"]


def _dated(name: str, text: str) -> Callable[[Any], bool]:
    prefix, start, end = _span(text, name)

    def fit(value: Any) -> bool:
        at = datetime.fromisoformat(str(value))
        if prefix == "ge":
            return at >= start
        if prefix == "gt":
            return at >= end
        if prefix == "le":
            return at < end
        if prefix == "lt":
            return at < start
        return (start <= at < end) != (prefix == "ne")

    return fit


def _span(text: str, name: str = "_lastUpdated") -> tuple[str, datetime, datetime]:
    """Return a date's prefix and the span that it stands for: a year, a month, a day, a minute, a second."""
    match = PREFIX.match(text)
    allowed = "eq, ne, ge, le, gt or lt and a date as 2026-03-01 or 2026-03-01T07:30:00+01:00"
    if match is None:
        raise SearchFault(f"{name}: found {text!r}; allowed: {allowed}")
    date = match.group(2)
    try:
        start = datetime.fromisoformat(date + {4: "-01-01", 7: "-01"}.get(len(date), ""))
        start = start if start.tzinfo else start.replace(tzinfo=UTC)
        return match.group(1) or "eq", start, start + _width(date, start)
    except (ValueError, OverflowError) as error:
        raise SearchFault(f"{name}: found {text!r}; allowed: {allowed}") from error


def _width(date: str, start: datetime) -> timedelta:
    if len(date) == 4:
        return start.replace(year=start.year + 1) - start
    if len(date) == 7:
        return (start.replace(day=28) + timedelta(days=4)).replace(day=1) - start
    if len(date) == 10:
        return timedelta(days=1)
    clock = date[11:].rstrip("Z").partition("+")[0].partition("-")[0]
    if len(clock) == 5:
        return timedelta(minutes=1)
    return timedelta(milliseconds=1) if "." in clock else timedelta(seconds=1)
