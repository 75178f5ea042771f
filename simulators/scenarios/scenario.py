"""A scenario as its file says it, and where the files are."""

import tomllib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from gateway.contract.errors import ConfigurationError
from gateway.model.vocabulary import DeviceKind
from simulators.faults.spec import AnyFault, Where
from simulators.faults.when import Length, When

LIBRARY = Path(__file__).parent / "library"
MAX_FILE_BYTES = 1 << 20


class Strict(BaseModel):
    """A table of the file: no key but those named here."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(Strict):
    """One thing said in both languages."""

    sv: str
    en: str


class Happening(Strict):
    """Something that happens to a device: once (`at`), or by chance about so often to each of them (`every`).

    `do` is an action of the device's class, `values` its arguments; `then` follows so much later.
    """

    at: When | None = None
    every: Length | None = None
    device: Where
    do: str
    values: dict[str, Any] = Field(default={}, alias="with")
    then: str = ""
    then_after: Length = "1h"
    note: str = ""


class Count(Strict):
    """How often, at least and at most; without `most` any number."""

    least: int = Field(default=0, ge=0, alias="min")
    most: int | None = Field(default=None, ge=0, alias="max")


class Expect(Strict):
    """What must come of the run: alerts by rule, and how soon a High one is on the phone of somebody.

    `nothing_unanswered`: at the end no alert that was raised an hour or more before it is still nobody's.
    """

    alerts: dict[str, Count] = {}
    first_carer_within_s: float | None = Field(default=None, gt=0)
    from_what_happened_within_s: float | None = Field(default=None, gt=0)
    nothing_unanswered: bool = False


class Scenario(Strict):
    """A whole scenario; `starts` is local time. `name` is the file's, not a key of it.

    `kit` are the kinds of devices that every home has, instead of one kit or another; `products` are the
    models of a kind, given to homes in turn; `heartbeats` is the time between those of a kind.
    `firmware` marks the locks that real firmware plays when the scenario is driven over MQTT.
    """

    name: str = Field(default="", exclude=True)
    title: Words
    about: Words
    municipality: str | None = None
    homes: int = Field(default=20, ge=1, le=250_000)
    life: Literal["ordinary", "evening", "still"] = "ordinary"
    crew: Literal["ordinary", "none"] = "ordinary"
    starts: datetime
    lasts: Length
    seed: int = 1
    kit: tuple[DeviceKind, ...] = ()
    products: dict[DeviceKind, tuple[str, ...]] = {}
    heartbeats: dict[DeviceKind, Length] = {}
    happens: tuple[Happening, ...] = ()
    fault: tuple[AnyFault, ...] = ()
    pilot: tuple[dict[str, Any], ...] = ()
    expect: Expect = Expect()
    firmware: tuple[str, ...] = ()


def names() -> list[str]:
    """Return the scenarios of the library."""
    return sorted(path.stem for path in LIBRARY.glob("*.toml"))


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Read a scenario of the library by its name, or a file; ConfigurationError names every faulty key."""
    path = Path(name_or_path)
    if path.suffix != ".toml" and (LIBRARY / f"{path}.toml").is_file():
        path = LIBRARY / f"{path}.toml"
    if not path.is_file():
        allowed = f"a scenario file, or one of {', '.join(names())}"
        raise ConfigurationError(f"scenario: found {str(name_or_path)!r}; allowed: {allowed}")
    return read_scenario(_read(path), path.stem, str(path))


def read_scenario(found: dict[str, Any], name: str, origin: str) -> Scenario:
    """Take up what a file said; ConfigurationError says every fault with its key."""
    try:
        scenario = Scenario.model_validate({**found, "name": name})
    except ValidationError as error:
        raise ConfigurationError("\n".join(_lines(error.errors(), origin))) from None
    if scenario.starts.tzinfo is not None:
        raise ConfigurationError(
            f"{origin}: starts: found {scenario.starts.isoformat()}; allowed: a local time without an offset"
        )
    for number, one in enumerate(scenario.happens):
        if (one.at is None) == (one.every is None):
            raise ConfigurationError(
                f"{origin}: happens.{number}: found {'both' if one.at else 'neither'}; allowed: at or every"
            )
    return scenario


def _read(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ConfigurationError(f"{path}: found more than {MAX_FILE_BYTES} bytes; allowed: fewer")
    try:
        return tomllib.loads(path.read_bytes().decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: found {error}; allowed: a TOML file in UTF-8") from error


ALLOWED = {
    "extra_forbidden": "a key that docs/simulation.md names",
    "missing": "a value; the key must be set",
    "model_type": "a table",
    "tuple_type": "a list",
    "union_tag_not_found": "kind, one that docs/simulation.md names",
}


def _lines(faults: Iterable[ErrorDetails], origin: str) -> Iterable[str]:
    """Say each fault: file, key, what was found, what is allowed."""
    for fault in faults:
        keys = ".".join(str(part) for part in fault["loc"])
        message = fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        shown = "nothing" if fault["type"] == "missing" else repr(fault["input"])[:80]
        yield f"{origin}: {keys}: found {shown}; allowed: {ALLOWED.get(fault['type'], message)}"
