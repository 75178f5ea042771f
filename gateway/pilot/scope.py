"""Scope: who and what a pilot is about, from the registry, as rows that the queries join with."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from gateway.contract import ConfigurationError
from gateway.model.pilot import Pilot
from gateway.model.registry import Device, Enrolment, Registry

Rows = Sequence[dict[str, Any]]


class Scope(NamedTuple):
    """The pilot, its period in UTC as far as it has come, and its tables by name."""

    pilot: Pilot
    since: datetime
    until: datetime
    over: bool
    last_day: date
    tables: dict[str, Rows]


def scope_of(registry: Registry, pilot_id: str, now: datetime | None) -> Scope:
    """Return what a pilot is about; ConfigurationError for one that is not there or has not begun."""
    pilot = registry.pilots.get(pilot_id)
    if pilot is None:
        known = ", ".join(sorted(registry.pilots)) or "none; the registry has no [[pilot]]"
        raise ConfigurationError(f"pilot: found {pilot_id!r}; allowed: {known}")
    zone = ZoneInfo(registry.tenants[pilot.tenant].time_zone)
    since = datetime.combine(pilot.first_day, time(), zone).astimezone(UTC)
    ends = datetime.combine(pilot.last_day + timedelta(days=1), time(), zone).astimezone(UTC)
    if now is None or now <= since:
        told = "nothing" if now is None else f"data up to {now.isoformat(timespec='minutes')}"
        raise ConfigurationError(f"pilot {pilot_id}: found {told}; allowed: data after {since.isoformat()}")
    until = min(ends, now)
    enrolled = list(_enrolled(registry, pilot))
    tables: dict[str, Rows] = {
        "pilot": [_period(registry, pilot, since, until)],
        "devices": [_device_row(device, one) for device, one in enrolled],
        "persons": _persons(registry, enrolled),
        "windows": [row for _, one in enrolled for row in _windows(one)],
        "staff_credentials": [
            {"credential": name}
            for staff in registry.staff.values()
            if staff.tenant == pilot.tenant
            for name in sorted(staff.credentials)
        ],
        "baseline": [{"measure": one.measure.value, "value": one.value} for one in pilot.baseline],
        "assumptions": [
            {"input": one.input.value, "low": one.low, "likely": one.likely, "high": one.high}
            for one in pilot.assumption
        ],
        "promise_severities": [
            {"severity": one.value} for one in sorted(pilot.promise.severities if pilot.promise else ())
        ],
    }
    last_day = (until - timedelta(microseconds=1)).astimezone(zone).date()
    return Scope(pilot, since, until, until == ends, last_day, tables)


def product_of(device: Device) -> str:
    """Return what devices are compared by: the model, or the kind where the registry names none."""
    return device.model or device.kind.value


def _enrolled(registry: Registry, pilot: Pilot) -> Iterator[tuple[Device, Enrolment]]:
    named = bool(pilot.homes or pilot.devices)
    for name in sorted(registry.enrolments):
        enrolment, device = registry.enrolments[name], registry.devices[name]
        if device.tenant != pilot.tenant or (pilot.products and device.model not in pilot.products):
            continue
        if not named or name in pilot.devices or enrolment.home in pilot.homes:
            yield device, enrolment


def _period(registry: Registry, pilot: Pilot, since: datetime, until: datetime) -> dict[str, Any]:
    tenant, promise = registry.tenants[pilot.tenant], pilot.promise
    return {
        "since": _utc(since),
        "until": _utc(until),
        "first_day": pilot.first_day.isoformat(),
        "last_day": pilot.last_day.isoformat(),
        "zone": tenant.time_zone,
        "night_from": tenant.night_from.isoformat(),
        "night_until": tenant.night_until.isoformat(),
        "promise_min": promise.on_site_min if promise else None,
    }


def _device_row(device: Device, enrolment: Enrolment) -> dict[str, Any]:
    return {
        "device": device.id,
        "home": enrolment.home,
        "person": enrolment.person,
        "product": product_of(device),
        "kind": device.kind.value,
        "heartbeat_s": enrolment.heartbeat_s,
        "enrolled": _utc(enrolment.since),
        "supervised": enrolment.supervised,
    }


def _persons(registry: Registry, enrolled: Sequence[tuple[Device, Enrolment]]) -> Rows:
    names = sorted({one.person for _, one in enrolled if one.person is not None})
    return [{"person": name, "sex": registry.persons[name].sex} for name in names]


def _windows(enrolment: Enrolment) -> Iterator[dict[str, Any]]:
    for what, windows in (("dose", enrolment.doses), ("look", enrolment.looks)):
        for one in windows:
            row = {"device": enrolment.device, "what": what, "ref": one.ref}
            yield {**row, "starts": one.at.isoformat(), "minutes": one.minutes}


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
