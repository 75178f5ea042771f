"""Faults: a record that was refused is read again, key by key, to say everything that is wrong with it."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

S = TypeVar("S", bound=msgspec.Struct)

SECRET = ("password", "secret", "token_hash")
"""Parts of the names of keys whose values are never shown."""
ISO: tuple[type[date | time], ...] = (datetime, date, time)
"""Written as text too, seconds or not."""
MOST_TOLD = 100
"""Faults that are told: one in how a file was made may stand in a hundred thousand of its records."""
PLACE = re.compile(r"^(?P<told>.*?)(?: - at `\$(?P<place>.*)`)?$", re.DOTALL)
INDEX = re.compile(r"\[(\d+)\]")


class Fault(NamedTuple):
    """What is wrong at one key: its path, what was found there (never a secret), what is allowed."""

    where: tuple[str, ...]
    found: str
    allowed: str

    def __str__(self) -> str:
        """Return it as one line."""
        key = f"{'.'.join(self.where)}: " if self.where else ""
        return f"{key}found {self.found}; allowed: {self.allowed}"


class RecordError(ValueError):
    """A record that cannot be taken; `faults` are those that it has, as many as are told."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults[:MOST_TOLD]
        more = [f"and {len(faults) - MOST_TOLD} faults more"] if len(faults) > MOST_TOLD else []
        super().__init__("\n".join([*map(str, self.faults), *more]))


def read(kind: type[S], found: Any) -> S:
    """Read a record key by key; RecordError with every fault of it."""
    faults: list[Fault] = []
    made = _record(kind, found, (), faults)
    if made is None:
        raise RecordError(faults)
    return made


def _record(kind: type[S], found: Any, where: tuple[str, ...], faults: list[Fault]) -> S | None:
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError:
        if not isinstance(found, Mapping):
            faults.append(Fault(where, shown(found, where), "a table"))
            return None
    before, known = len(faults), {field.encode_name: field for field in fields(kind)}
    for key in found.keys() - known.keys():
        allowed = "a key that docs/configuration.md names"
        faults.append(Fault((*where, str(key)), "a key that does not exist", allowed))
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in found:
            values[name] = _value(field.type, found[name], (*where, name), faults)
        elif _required(field):
            faults.append(Fault((*where, name), "nothing", "a value; the key must be set"))
    if len(faults) > before:
        return None
    try:
        return kind(**values)
    except ValueError as error:  # what the record itself does not allow
        faults.append(Fault(where, shown(found, where), str(error)))
        return None


def _value(kind: Any, found: Any, where: tuple[str, ...], faults: list[Fault]) -> Any:
    """Read the value of one key; None after a fault, which is noted."""
    below = _record_in(kind)
    if below is not None and found is not None:
        if _bare(kind) is below:
            return _record(below, found, where, faults)
        if isinstance(found, list | tuple) and found:
            rows = enumerate(found)
            return tuple(_record(below, row, (*where, str(number)), faults) for number, row in rows)
    try:
        return msgspec.convert(_from_text(kind, found), kind, strict=False)
    except msgspec.ValidationError as error:
        faults.append(_fault(kind, found, where, str(error)))
        return None


def _record_in(kind: Any) -> type[msgspec.Struct] | None:
    """Return the record behind `Record`, `Record | None`, `tuple[Record, ...]` or one with bounds."""
    kind = _bare(kind)
    if isinstance(kind, type) and get_origin(kind) is None:
        return kind if issubclass(kind, msgspec.Struct) else None
    return next((found for part in _parts(kind) if (found := _record_in(part)) is not None), None)


def _parts(kind: Any) -> tuple[Any, ...]:
    bare = _bare(kind)
    return get_args(bare) if get_origin(bare) in (tuple, Union, UnionType) else ()


def _bare(kind: Any) -> Any:
    """Return a type without its bounds and without `| None`."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        others = [part for part in get_args(kind) if part is not NoneType]
        return _bare(others[0]) if len(others) == 1 else kind
    return kind


def _from_text(kind: Any, found: Any) -> Any:
    """Return the moment that a text says, as 08:00, where one is wanted; anything else as it is."""
    if isinstance(found, str):
        for wanted in (_bare(kind), *_parts(kind)):
            if wanted in ISO:
                try:
                    return wanted.fromisoformat(found)
                except ValueError:
                    return found
    return found


def _required(field: FieldInfo) -> bool:
    return field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT


def _fault(kind: Any, found: Any, where: tuple[str, ...], told: str) -> Fault:
    """Say the first fault that was met in a value, at its own place within it."""
    split = PLACE.match(told)
    words, place = (split["told"], split["place"] or "") if split else (told, "")
    for index in INDEX.findall(place):
        if isinstance(found, list | tuple):
            where, found = (*where, index), found[int(index)]
    allowed = re.sub(r", got `.*", "", words.removeprefix("Expected "))
    if allowed.startswith("Invalid enum value"):
        allowed = "one of " + ", ".join(repr(member.value) for member in _members(kind))
    return Fault(where, shown(found, where), allowed)


def _members(kind: Any) -> Iterator[Enum]:
    """Return the members of every enumeration within a type."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        yield from kind
    for part in get_args(kind):
        yield from _members(part)


def shown(found: Any, where: tuple[str, ...]) -> str:
    """Return what may be shown of a value: never a secret, and of a table or list only that it is one."""
    if isinstance(found, dict | list | tuple):
        return f"a value of the type {type(found).__name__}"
    if where and any(word in where[-1] for word in SECRET):
        return "*** (not shown)"
    return repr(found)
