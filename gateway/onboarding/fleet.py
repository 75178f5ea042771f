"""Fleet: how well each device does its own part, by what it said and by what it did not say; one grade."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from statistics import median

import msgspec

from gateway.contract import Manifest
from gateway.model.equipment import Charge, Twin
from gateway.model.registry import Device, Enrolment
from gateway.model.status import DeviceStatus
from gateway.model.vocabulary import BATTERY_CRITICAL_PERCENT, BATTERY_LOW_PERCENT, DeviceKind
from gateway.onboarding.battery import Forecast, forecast
from gateway.pipeline.health import GRACE

SOON_DAYS = 14.0
"""A battery that may be critical within so many days is to be changed now."""
SILENT_SHARE = 0.05
QUIET_SHARE = 0.01
"""Parts of its time that a device may be silent past its promise before it is poor, or only fair."""
MANY_REJECTED = 10
"""Frames in quarantine from one device that are no accident."""
SHARE_AFTER_S = 86_400.0
"""A share of a shorter time says nothing."""


class Grade(StrEnum):
    """How well a device does: good, fair, poor, bad, or unknown while it was never heard."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    BAD = "bad"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """Its place in a list: the worst first."""
        return _RANKS.index(self)


_RANKS = (Grade.BAD, Grade.POOR, Grade.FAIR, Grade.UNKNOWN, Grade.GOOD)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one device; `forecast` may be given, where it was made before."""

    device: Device
    enrolment: Enrolment | None = None
    status: DeviceStatus | None = None
    twin: Twin | None = None
    charges: tuple[Charge, ...] = ()
    manifest: Manifest | None = None
    forecast: Forecast | None = None


FORECAST_KEPT_S = 3600.0
"""So long a forecast is good enough."""


class Forecasts:
    """Forecasts as long as they hold: a page of ten thousand devices makes few of them anew."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[Charge, ...], datetime, Forecast]] = {}

    def of(self, device: str, charges: tuple[Charge, ...], now: datetime) -> Forecast:
        """Return the forecast of a device, at most an hour old."""
        known = self._kept.get(device)
        if known and known[0] is charges and (now - known[1]).total_seconds() < FORECAST_KEPT_S:
            return known[2]
        made = forecast(charges, now)
        self._kept[device] = (charges, now, made)
        return made


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """One device's health. Shares are 0 to 1; `reasons` are words that every language has a sentence for."""

    device: str
    kind: DeviceKind
    adapter: str
    model: str
    enrolled: bool
    online: bool | None
    last_seen_at: datetime | None
    battery_percent: float | None
    battery: Forecast
    firmware: str
    link_quality: float | None
    silence_share: float | None
    late: int
    rejected: int
    drifts: bool
    grade: Grade
    reasons: tuple[str, ...]


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """The devices of one adapter and model together; medians over those that know."""

    adapter: str
    model: str
    devices: int
    grades: dict[str, int]
    battery_percent: float | None
    silence_share: float | None
    late: int
    rejected: int
    firmware: tuple[str, ...]


def health(known: Known, now: datetime) -> Health:
    """Judge one device."""
    device, status = known.device, known.status or DeviceStatus(device=known.device.id)
    battery = known.forecast or forecast(known.charges, now)
    share = _silence_share(status, known.enrolment, now)
    silent = _silent_now(status, known.enrolment, now)
    heard = status.last_seen_at is not None or status.offline
    worst: dict[str, Grade] = {
        **_of_link(status, silent=silent, share=share),
        **_of_battery(status, battery),
        **_of_words(status, known.twin),
    }
    if known.manifest is not None and not known.manifest.tested_with:
        worst["untested"] = Grade.FAIR
    grade = min(worst.values(), key=lambda one: one.rank, default=Grade.GOOD)
    return Health(
        device=device.id,
        kind=device.kind,
        adapter=device.adapter,
        model=device.model or "",
        enrolled=known.enrolment is not None,
        online=not (status.offline or silent) if heard else None,
        last_seen_at=status.last_seen_at,
        battery_percent=status.battery_percent,
        battery=battery,
        firmware=status.firmware,
        link_quality=status.link_quality,
        silence_share=share,
        late=status.late,
        rejected=status.rejected,
        drifts=known.twin is not None and known.twin.drifts,
        grade=grade if heard else Grade.UNKNOWN,
        reasons=tuple(sorted(worst, key=lambda why: worst[why].rank)) if heard else ("never_heard",),
    )


def products(devices: Iterable[Health]) -> list[Product]:
    """Return the devices together by adapter and model, in their order."""
    by_product: dict[tuple[str, str], list[Health]] = {}
    for one in devices:
        by_product.setdefault((one.adapter, one.model), []).append(one)
    return [_product(adapter, model, ones) for (adapter, model), ones in sorted(by_product.items())]


def _product(adapter: str, model: str, ones: list[Health]) -> Product:
    grades: Mapping[str, int] = {grade.value: sum(one.grade is grade for one in ones) for grade in _RANKS}
    charges = [one.battery_percent for one in ones if one.battery_percent is not None]
    shares = [one.silence_share for one in ones if one.silence_share is not None]
    return Product(
        adapter=adapter,
        model=model,
        devices=len(ones),
        grades=dict(grades),
        battery_percent=median(charges) if charges else None,
        silence_share=median(shares) if shares else None,
        late=sum(one.late for one in ones),
        rejected=sum(one.rejected for one in ones),
        firmware=tuple(sorted({one.firmware for one in ones if one.firmware})),
    )


def _overdue_s(status: DeviceStatus, enrolment: Enrolment | None, now: datetime) -> float:
    """Return how long a device has now been silent past what it promised, in seconds."""
    if enrolment is None or enrolment.heartbeat_s is None or status.last_seen_at is None:
        return 0.0
    return max(0.0, (now - status.last_seen_at).total_seconds() - GRACE * enrolment.heartbeat_s)


def _silent_now(status: DeviceStatus, enrolment: Enrolment | None, now: datetime) -> bool:
    return _overdue_s(status, enrolment, now) > 0


def _silence_share(status: DeviceStatus, enrolment: Enrolment | None, now: datetime) -> float | None:
    """Return the part of its time that a device was silent; None while nothing was promised, or for a day."""
    if enrolment is None or enrolment.heartbeat_s is None or status.watched_since is None:
        return None
    watched_s = (now - status.watched_since).total_seconds()
    if watched_s < SHARE_AFTER_S:
        return None
    return min(1.0, (status.silent_s + _overdue_s(status, enrolment, now)) / watched_s)


def _of_link(status: DeviceStatus, *, silent: bool, share: float | None) -> dict[str, Grade]:
    found: dict[str, Grade] = {}
    if status.offline:
        found["offline"] = Grade.BAD
    elif silent:
        found["silent"] = Grade.BAD
    if share is not None and share > QUIET_SHARE:
        found["silence"] = Grade.POOR if share > SILENT_SHARE else Grade.FAIR
    return found


def _of_battery(status: DeviceStatus, battery: Forecast) -> dict[str, Grade]:
    percent = status.battery_percent
    slot = status.slots.get("battery", "")
    if slot == "battery.critical" or (percent is not None and percent <= BATTERY_CRITICAL_PERCENT):
        return {"battery_critical": Grade.BAD}
    if slot == "battery.low" or (percent is not None and percent <= BATTERY_LOW_PERCENT):
        return {"battery_low": Grade.POOR}
    if battery.earliest_days is not None and battery.earliest_days < SOON_DAYS:
        return {"battery_soon": Grade.FAIR}
    return {}


def _of_words(status: DeviceStatus, twin: Twin | None) -> dict[str, Grade]:
    found: dict[str, Grade] = {}
    if status.slots.get("fault") == "device.fault":
        found["fault"] = Grade.BAD
    if status.slots.get("life") == "device.end_of_life":
        found["end_of_life"] = Grade.POOR
    if status.rejected:
        found["rejected"] = Grade.POOR if status.rejected >= MANY_REJECTED else Grade.FAIR
    if status.late:
        found["late"] = Grade.FAIR
    if twin is not None and twin.drifts:
        found["drift"] = Grade.FAIR
    return found
