"""Records: what every record that people write in the registry has in common."""

from typing import Annotated, Any, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from gateway.model.faults import Fault, RecordError, read

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z")]
"""An identity: letters, digits and . _ : / - , at most 128 characters; never a personal number."""

Seconds = Annotated[float, Meta(gt=0, le=30 * 86400)]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One record of a file that people write: unknown keys are faults, and nothing changes it later.

    Only `of` and `from_json` check what they are given. The collector of circles passes records by: a
    large municipality has a million of them, and no record leads back to itself.
    """

    @classmethod
    def of(cls, found: Any) -> Self:
        """Read it from tables and lists as TOML gives them; RecordError tells every fault."""
        try:
            return msgspec.convert(found, cls)
        except msgspec.ValidationError:
            return read(cls, found)

    @classmethod
    def from_json(cls, body: bytes | str) -> Self:
        """Read it from JSON; RecordError tells every fault."""
        try:
            return msgspec.json.decode(body, type=cls)
        except msgspec.ValidationError:
            return read(cls, msgspec.json.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RecordError([Fault((), f"a fault in the JSON: {error}", "JSON in UTF-8")]) from error

    def to_json(self) -> bytes:
        """Write it as JSON, most of what is as by default left out."""
        return msgspec.json.encode(self)


def wrong(kind: str, owner: str, key: str, found: str, allowed: str) -> ValueError:
    """Return the fault of a record, with its key, what was found and what is allowed."""
    return ValueError(f"{kind} {owner}: {key}: found {found!r}; allowed: {allowed}")


def one_tenant(kind: str, owner: str, tenant: str, key: str, name: str, theirs: str) -> None:  # noqa: PLR0917 - the words of one sentence
    """Refuse what would let one tenant's data reach another."""
    if theirs != tenant:
        raise wrong(kind, owner, key, name, f"one of tenant {tenant!r}, not of {theirs!r}")


def is_zone(name: str) -> bool:
    """Tell whether it is the name of an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


R = TypeVar("R")


def index(kind: str, records: tuple[R, ...], key: str) -> dict[str, R]:
    """Return records by their identity; ValueError for one that stands twice."""
    found: dict[str, R] = {}
    for record in records:
        name: str = getattr(record, key)
        if name in found:
            raise ValueError(f"{kind}: {key}: found {name!r} twice; allowed: each once")
        found[name] = record
    return found
