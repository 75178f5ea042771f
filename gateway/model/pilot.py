"""A pilot: which devices are tried, when, against which numbers of before, and what the answer is worth."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.model.alert import Severity
from gateway.model.records import Id, Record, wrong

Words = Annotated[str, Field(min_length=3, max_length=300)]
"""Where a number comes from, in words that a reader of the report can judge."""
MAX_DAYS = 5 * 366


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


class Baseline(Record):
    """One number of before the pilot, and where it comes from."""

    measure: Measure
    value: float = Field(ge=0, le=1_000_000)
    source: Words


class Assumption(Record):
    """One input of the benefit, as the lowest, the likely and the highest that anybody would defend."""

    input: Input
    low: float = Field(ge=0, le=100_000_000)
    likely: float = Field(ge=0, le=100_000_000)
    high: float = Field(ge=0, le=100_000_000)
    source: Words

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low <= self.likely <= self.high:
            raise ValueError("low, likely and high do not follow each other; allowed: low <= likely <= high")
        return self


class Promise(Record):
    """The municipality's own time from alarm to somebody on site, and for how many of a hundred it holds."""

    on_site_min: float = Field(gt=0, le=24 * 60)
    percent: float = Field(default=90, gt=0, le=100)
    severities: frozenset[Severity] = Field(default=frozenset({Severity.HIGH}), min_length=1)
    source: Words


class Pilot(Record):
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

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if not 0 <= (self.last_day - self.first_day).days < MAX_DAYS:
            raise ValueError(f"last_day must be first_day or later, and at most {MAX_DAYS} days after it")
        for names in ([one.measure for one in self.baseline], [one.input for one in self.assumption]):
            if len(set(names)) != len(names):
                raise ValueError("a measure or an input stands twice; allowed: each once")
        if not (self.homes or self.devices or self.products):
            raise ValueError("a pilot is for homes, devices or products; found none")
        return self


def check_pilot(pilot: Pilot, homes: Iterable[str], devices: Iterable[str], models: Iterable[str]) -> None:
    """Refuse a pilot that names what its tenant does not have; all three are the tenant's own."""
    for key, named, known in (
        ("homes", pilot.homes, homes),
        ("devices", pilot.devices, devices),
        ("products", pilot.products, models),
    ):
        if missing := sorted(set(named) - set(known)):
            raise wrong("pilot", pilot.id, key, missing[0], f"one that tenant {pilot.tenant!r} has")
