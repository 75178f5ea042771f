"""Places: positions moved by a rotation of the sphere, one for each home: distances hold, no map helps."""

from collections.abc import Mapping
from math import asin, atan2, cos, degrees, pi, radians, sin
from secrets import SystemRandom

import msgspec

from gateway.model.registry import Zone

DECIMALS = 9
"""Of degrees: a tenth of a millimetre."""
Vector = tuple[float, float, float]
Point = tuple[float, float]
"""Latitude and longitude, degrees."""


class Places:
    """Moves what lies at a home: its middle to where the equator meets the first meridian, turned by chance.

    Everything of one home keeps its distances; between homes there is none left to tell.
    """

    def __init__(self) -> None:
        self._chance = SystemRandom()
        self._turns: dict[str, tuple[Vector, Vector, Vector]] = {}

    def settle(self, home: str, zone: Zone) -> None:
        """Fix how a home is moved, if it is not yet."""
        if home not in self._turns:
            self._turns[home] = self._turn(radians(zone.latitude), radians(zone.longitude))

    def moved(self, home: str, at: Point) -> Point:
        """Return where a point of that home lies in the recording."""
        turn = self._turns.get(home)
        if turn is None:  # a home without a zone: from anywhere
            anywhere = (asin(self._chance.uniform(-1, 1)), self._chance.uniform(-pi, pi))
            turn = self._turns[home] = self._turn(*anywhere)
        latitude, longitude = radians(at[0]), radians(at[1])
        there = (cos(latitude) * cos(longitude), cos(latitude) * sin(longitude), sin(latitude))
        x, y, z = (sum(a * b for a, b in zip(row, there, strict=True)) for row in turn)
        return (
            round(degrees(asin(min(1.0, max(-1.0, z)))), DECIMALS),
            round(degrees(atan2(y, x)), DECIMALS),
        )

    def zone(self, home: str, zone: Zone) -> dict[str, float]:
        """Return a home's zone, moved."""
        self.settle(home, zone)
        latitude, longitude = self.moved(home, (zone.latitude, zone.longitude))
        return {"latitude": latitude, "longitude": longitude, "radius_m": zone.radius_m}

    def _turn(self, latitude: float, longitude: float) -> tuple[Vector, Vector, Vector]:
        """Return the rotation that brings that point to 0 N 0 E, and then spins about it by chance."""
        spin = self._chance.uniform(0, 2 * pi)
        c, s = cos(latitude), sin(latitude)
        east = (-sin(longitude), cos(longitude), 0.0)
        out = (c * cos(longitude), c * sin(longitude), s)
        north = (-s * cos(longitude), -s * sin(longitude), c)
        y = tuple(cos(spin) * e - sin(spin) * n for e, n in zip(east, north, strict=True))
        z = tuple(sin(spin) * e + cos(spin) * n for e, n in zip(east, north, strict=True))
        return out, (y[0], y[1], y[2]), (z[0], z[1], z[2])


class Unmoved:
    """Positions as they are, for a municipality's own use."""

    def settle(self, home: str, zone: Zone) -> None:
        """Nothing is to be fixed."""

    def moved(self, home: str, at: Point) -> Point:  # noqa: ARG002 - the same question as above
        """Return the point."""
        return at

    def zone(self, home: str, zone: Zone) -> Mapping[str, float]:  # noqa: ARG002 - same
        """Return the zone."""
        return dict(msgspec.structs.asdict(zone))
