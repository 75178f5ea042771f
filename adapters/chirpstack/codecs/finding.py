"""Findings: what a payload says, before the event around it gives it a device, a key and a time."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from gateway.model.vocabulary import (
    VOCABULARY,
    AlarmValues,
    DeviceKind,
    HealthValues,
    PositionValues,
    SensorValues,
    Values,
    battery_word,
)

Details = dict[str, str | int | float | bool]


class Malformed(ValueError):  # noqa: N818 - it names the bytes' state
    """The bytes are not those of the product; the text says where."""


class Finding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One statement: `key` is the device's own, `at` its own time, "" and None where it has none.

    `happened` is False for a level that is merely repeated.
    """

    type: str
    values: Values
    kind: DeviceKind = DeviceKind.UNKNOWN
    happened: bool = False
    at: datetime | None = None
    key: str = ""


Decoder = Callable[[bytes, int, datetime | None], list[Finding]]
"""Bytes, port and the network's time of the uplink, to what they say; raises Malformed."""
ObjectReader = Callable[[dict[str, Any]], list[Finding]]
"""What the network's own codec made of the bytes, to what it says."""


class Cursor:
    """Bytes read from left to right; past the end is Malformed."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def __bool__(self) -> bool:
        """Say whether bytes are left."""
        return self._place < len(self._data)

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        end = self._place + count
        if end > len(self._data):
            reason = f"byte {self._place}: expected {count} more, the payload ends after {len(self._data)}"
            raise Malformed(reason)
        found = self._data[self._place : end]
        self._place = end
        return found

    def byte(self) -> int:
        """Return the next byte."""
        return self.take(1)[0]


def charge(percent: float, kind: DeviceKind) -> list[Finding]:
    """Return the battery's level, nothing for a charge that no battery has."""
    if not 0 <= percent <= 100:
        return []
    return [Finding(type=battery_word(percent), values=HealthValues(battery_percent=percent), kind=kind)]


def level(kind: DeviceKind, word: str, **details: str | float | bool) -> Finding:
    """Return a level of a sensor or of the device's health."""
    shape = VOCABULARY[word].values
    return Finding(type=word, values=shape(details=dict(details)), kind=kind)


def position(  # noqa: PLR0913 - one argument a field of a fix
    latitude: float,
    longitude: float,
    *,
    kind: DeviceKind = DeviceKind.GPS_TRACKER,
    accuracy_m: float | None = None,
    altitude_m: float | None = None,
    speed_kmh: float | None = None,
    at: datetime | None = None,
    key: str = "",
    details: Details | None = None,
) -> list[Finding]:
    """Return a fix; nothing when its numbers lie outside the globe, as those of a device without one do."""
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180) or (latitude, longitude) == (0, 0):
        return []
    values = PositionValues(
        latitude=latitude,
        longitude=longitude,
        accuracy_m=_within(accuracy_m, 0, 20_100_000),
        altitude_m=_within(altitude_m, -12_000, 100_000),
        speed_kmh=_within(speed_kmh, 0, 2_000),
        source="gnss",
        details=details or {},
    )
    return [Finding(type="position.update", values=values, kind=kind, happened=True, at=at, key=key)]


def _within(number: float | None, low: float, high: float) -> float | None:
    """Return a number of the vocabulary: one outside it costs itself, not the call for help."""
    return number if number is not None and low <= number <= high else None


def alarm(word: str, kind: DeviceKind, at: datetime | None = None, key: str = "") -> Finding:
    """Return a call for help, a fall, or the end of either."""
    return Finding(type=word, values=AlarmValues(), kind=kind, happened=True, at=at, key=key)


def press(how: str) -> Finding:
    """Return a press of a button: what it means is said by its enrolment."""
    values = SensorValues(press=how)
    return Finding(type="button.pressed", values=values, kind=DeviceKind.BUTTON, happened=True)
