"""A pilot: which devices are tried, when, against which numbers of before, and what the answer is worth."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Protocol

from msgspec import Meta

from gateway.model.alert import Severity
from gateway.model.records import Id, Record, wrong

Words = Annotated[str, Meta(min_length=3, max_length=300)]
"""Where a number comes from, in words that a reader of the report can judge."""
MAX_DAYS = 5 * 366
Amount = Annotated[float, Meta(ge=0, le=100_000_000)]


class Measure(StrEnum):
    """What was counted before the pilot, in all its homes together; the unit is in the name."""

    NIGHT_VISITS_PER_NIGHT = "night_visits_per_night"
    DOSE_VISITS_PER_DAY = "dose_visits_per_day"
    KEY_TRIPS_PER_WEEK = "key_trips_per_week"
    MISSED_DOSES_PER_WEEK = "missed_doses_per_week"
    ALARMS_PER_WEEK = "alarms_per_week"


class Input(StrEnum):
    """What the benefit is calculated with; the unit is in the name."""

    STAFF_HOUR_SEK = "staff_hour_sek"
    NIGHT_VISIT_MIN = "night_visit_min"
    DOSE_VISIT_MIN = "dose_visit_min"
    KEY_TRIP_MIN = "key_trip_min"
    ALARM_MIN = "alarm_min"
    VISIT_KM = "visit_km"
    KM_SEK = "km_sek"
    DEVICE_MONTH_SEK = "device_month_sek"
    START_SEK = "start_sek"


class Baseline(Record, frozen=True):
    """One number of before the pilot, and where it comes from."""

    measure: Measure
    value: Annotated[float, Meta(ge=0, le=1_000_000)]
    source: Words


class Assumption(Record, frozen=True):
    """One input of the benefit, as the lowest, the likely and the highest that anybody would defend."""

    input: Input
    low: Amount
    likely: Amount
    high: Amount
    source: Words

    def __post_init__(self) -> None:
        """Refuse a range that is none."""
        if not self.low <= self.likely <= self.high:
            raise ValueError("low, likely and high do not follow each other; allowed: low <= likely <= high")


class Promise(Record, frozen=True, kw_only=True):
    """The municipality's own time from alarm to somebody on site, and for how many of a hundred it holds."""

    on_site_min: Annotated[float, Meta(gt=0, le=24 * 60)]
    percent: Annotated[float, Meta(gt=0, le=100)] = 90.0
    severities: Annotated[frozenset[Severity], Meta(min_length=1)] = frozenset({Severity.HIGH})
    source: Words


class Pilot(Record, frozen=True):
    """A label on devices and homes for a time, from the first day to the last, both included and local.

    It is for the `devices` named and all devices in the `homes` named. `products` (the devices' models)
    narrows it to those; with no home and no device named it is for all that the tenant has of them.
    """

    id: Id
    tenant: Id
    name: Words
    first_day: date
    last_day: date
    homes: frozenset[Id] = frozenset()
    devices: frozenset[Id] = frozenset()
    products: tuple[str, ...] = ()
    baseline: tuple[Baseline, ...] = ()
    promise: Promise | None = None
    assumption: tuple[Assumption, ...] = ()

    def __post_init__(self) -> None:
        """Refuse days that are no period, numbers that stand twice, and a pilot of nothing."""
        if not 0 <= (self.last_day - self.first_day).days < MAX_DAYS:
            raise ValueError(f"last_day must be first_day or later, and at most {MAX_DAYS} days after it")
        for names in ([one.measure for one in self.baseline], [one.input for one in self.assumption]):
            if len(set(names)) != len(names):
                raise ValueError("a measure or an input stands twice; allowed: each once")
        if not (self.homes or self.devices or self.products):
            raise ValueError("a pilot is for homes, devices or products; found none")


class Owned(Protocol):
    """What belongs to a tenant."""

    @property
    def id(self) -> str: ...  # noqa: D102 - said in the class

    @property
    def tenant(self) -> str: ...  # noqa: D102


class Modelled(Owned, Protocol):
    """A device with its product's name."""

    @property
    def model(self) -> str: ...  # noqa: D102 - said in the class


def check_pilot(pilot: Pilot, homes: Iterable[Owned], devices: Iterable[Modelled]) -> None:
    """Refuse a pilot that names what its tenant does not have."""
    theirs = [device for device in devices if device.tenant == pilot.tenant]
    for key, named, known in (
        ("homes", pilot.homes, [home.id for home in homes if home.tenant == pilot.tenant]),
        ("devices", pilot.devices, [device.id for device in theirs]),
        ("products", pilot.products, [device.model for device in theirs]),
    ):
        if missing := sorted(set(named) - set(known)):
            raise wrong("pilot", pilot.id, key, missing[0], f"one that tenant {pilot.tenant!r} has")
