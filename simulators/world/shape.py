"""Reference municipalities: how many have which technology, from files that say where each number is from."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated

from msgspec import Meta

from gateway.contract.errors import ConfigurationError
from gateway.model.faults import RecordError
from gateway.model.records import Record
from gateway.model.vocabulary import DeviceKind
from simulators.chance import Chance

ORDER = (
    "lock",
    "gps_alarm",
    "medication_dispenser",
    "camera",
    "social_alarm",
    "fall_detector",
    "door_contact",
    "bed_sensor",
)


class Technology(Record, frozen=True):
    """How many of a thousand inhabitants have one kind of device, and where that is known from."""

    kind: DeviceKind
    per_1000: Annotated[float, Meta(gt=0, lt=1000)]
    source: Annotated[str, Meta(min_length=8)]


class Shape(Record, frozen=True):
    """A municipality: its inhabitants, and who of them has what."""

    name: str
    inhabitants: Annotated[int, Meta(gt=0)]
    technology: Annotated[tuple[Technology, ...], Meta(min_length=1)]

    @property
    def homes(self) -> int:
        """Homes with any technology: those with a social alarm, and a few who have other things alone."""
        return max(1, round(self.inhabitants * self._per_home / 1000))

    @property
    def _per_home(self) -> float:
        rates = self.rates
        return rates.get("social_alarm", 0) + 0.5 * rates.get("gps_alarm", 0) + 0.2 * rates.get("lock", 0)

    @property
    def rates(self) -> dict[str, float]:
        """Return the numbers per thousand by kind."""
        return {one.kind.value: one.per_1000 for one in self.technology}

    def kit(self, seed: int, home: str) -> tuple[str, ...]:
        """Draw what a home has, so that as many homes have a kind as the numbers say."""
        chance, per_home = Chance(seed, home, "kit"), self._per_home
        has = {kind: chance.happens(min(1.0, rate / per_home)) for kind, rate in sorted(self.rates.items())}
        found = tuple(kind for kind in ORDER if has.get(kind))
        return found or ("social_alarm",)


def names() -> list[str]:
    """Return the reference municipalities, smallest first."""
    shapes = {name: shape(name) for name in _files()}
    return sorted(shapes, key=lambda name: shapes[name].inhabitants)


@cache
def shape(name: str) -> Shape:
    """Read a reference municipality; ConfigurationError names those there are."""
    found = _files()
    if name not in found:
        raise ConfigurationError(f"municipality = {name!r}; allowed: {', '.join(sorted(found))}")
    try:
        return Shape.of(tomllib.loads(found[name]))
    except (tomllib.TOMLDecodeError, RecordError) as error:
        raise ConfigurationError(f"municipalities/{name}.toml: {error}") from error


def _files() -> dict[str, str]:
    folder = files("simulators.world").joinpath("municipalities")
    return {
        file.name.removesuffix(".toml"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    }
