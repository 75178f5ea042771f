"""Fields: what a struct of the wire tells of each of its fields, in words: type, limits, codes, required."""

from collections.abc import Iterator, Mapping
from inspect import get_annotations
from typing import Any

import msgspec
from msgspec import inspect

from gateway.interface.version import Version

_UNITS = {
    "_percent": "%",
    "_m": "m",
    "_s": "s",
    "_min": "min",
    "_kmh": "km/h",
    "minutes": "min",
    "latitude": "°",
    "longitude": "°",
    "battery": "%",
}
_PLAIN: Mapping[type[inspect.Type], str] = {
    inspect.BoolType: "true or false",
    inspect.RawType: "object",
    inspect.DictType: "object",
    inspect.StrType: "text",
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
    inspect.DateTimeType: "time (RFC 3339 with offset)",
    inspect.EnumType: "code",
    inspect.LiteralType: "code",
}


class Field(msgspec.Struct, frozen=True):
    """One field in words; `codes` are its closed list and `default` what it means to leave it out."""

    name: str
    kind: str
    unit: str
    limits: str
    required: bool
    default: str
    codes: tuple[str, ...]
    text: str


def fields_of(version: Version, struct: type[msgspec.Struct]) -> tuple[Field, ...]:
    """Return the fields of a struct, its own first and those of its base types after them."""
    told = inspect.type_info(struct)
    if not isinstance(told, inspect.StructType):  # pragma: no cover - a struct is what we were given
        raise TypeError(struct)
    found = [_field(version, struct, one) for one in told.fields]
    own = set(get_annotations(struct))
    return tuple(sorted(found, key=lambda one: (one.name not in own, not one.required)))


def text_of(version: Version, struct: type[msgspec.Struct], name: str) -> str:
    """Return what a field means: told at its struct, or at the base that it comes from."""
    for base in struct.__mro__:
        found = version.texts.get(base.__name__, {}).get(name)
        if found is not None:
            return found
    raise KeyError(f"fields.toml: no text for {struct.__name__}.{name}")


def _field(version: Version, struct: type[msgspec.Struct], one: inspect.Field) -> Field:
    kind = _bare(one.type)
    codes = _codes(kind)
    default = "" if one.default in (msgspec.NODEFAULT, None, "") else _plain(one.default)
    return Field(
        name=one.name,
        kind=_words(kind),
        unit=_unit(one.name),
        limits=", ".join(_limits(kind)),
        required=one.required,
        default="" if default.startswith("Raw") else default,
        codes=codes,
        text=text_of(version, struct, one.name),
    )


def _plain(value: Any) -> str:
    return str(getattr(value, "value", value)) if not isinstance(value, msgspec.Raw) else ""


def _unit(name: str) -> str:
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")


def _bare(kind: inspect.Type) -> inspect.Type:
    """Return the type without its bounds on null: leaving a field out and null are the same."""
    if isinstance(kind, inspect.Metadata):
        return _bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _bare(next(one for one in kind.types if not isinstance(one, inspect.NoneType)))
    return kind


def _codes(kind: inspect.Type) -> tuple[str, ...]:
    if isinstance(kind, inspect.EnumType):
        return tuple(str(one.value) for one in kind.cls)
    return tuple(map(str, kind.values)) if isinstance(kind, inspect.LiteralType) else ()


def _words(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        item = _bare(kind.item_type)
        return f"list of {item.cls.__name__}" if isinstance(item, inspect.StructType) else "list"
    return _PLAIN[type(kind)]


def _limits(kind: inspect.Type) -> Iterator[str]:
    for name, words in (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below")):
        bound = getattr(kind, name, None)
        if bound is not None:
            yield f"{words} {_number(bound)}"
    unit = "characters" if isinstance(kind, inspect.StrType) else "items"
    shortest, longest = getattr(kind, "min_length", None), getattr(kind, "max_length", None)
    if longest is not None:
        yield f"{shortest} to {longest} {unit}" if shortest else f"at most {longest} {unit}"


def _number(bound: float) -> str:
    if bound in (2**53, -(2**53), 2**63 - 1):
        return {2**53: "2^53", -(2**53): "-2^53", 2**63 - 1: "2^63 - 1"}[int(bound)]
    return f"{bound:,.0f}".replace(",", " ") if float(bound).is_integer() else f"{bound}"
