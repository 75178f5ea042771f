"""Places: distances on the earth."""

from math import asin, cos, radians, sin, sqrt

from gateway.model.registry import Zone

EARTH_M = 6_371_008.8
"""Mean radius of the earth, metres (IUGG)."""


def distance_m(latitude: float, longitude: float, zone: Zone) -> float:
    """Return the great-circle distance from a zone's middle, metres, for WGS 84 degrees (haversine)."""
    here, there = radians(latitude), radians(zone.latitude)
    across = sin((there - here) / 2) ** 2
    along = sin(radians(zone.longitude - longitude) / 2) ** 2
    return 2 * EARTH_M * asin(min(1.0, sqrt(across + cos(here) * cos(there) * along)))
