"""JSON Schema 2020-12 of every message, made from the very structs that the gateway decodes with."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

from gateway.interface.fields import text_of
from gateway.interface.version import Version
from gateway.model.vocabulary import Values
from gateway.model.wire import MEASUREMENTS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MESSAGES = {
    "status": "Status",
    "command": "Command",
    "grant": "Grant",
    "result": "Result",
    "config": "Config",
}
"""The messages that are one struct, by the name of their file."""
OFFSET = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:?\d{2})$"
"""What the date-time format leaves to the validator's taste: that there is an offset."""

Schema = dict[str, Any]
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_LENGTHS = {
    inspect.StrType: ("minLength", "maxLength"),
    inspect.ListType: ("minItems", "maxItems"),
    inspect.VarTupleType: ("minItems", "maxItems"),
    inspect.DictType: ("minProperties", "maxProperties"),
}


def all_schemas(version: Version) -> dict[str, Schema]:
    """Return every schema by the path of its file below `schema/`, each complete in itself."""
    found = {f"{name}.json": _root(version, name, _message(version, name)) for name in MESSAGES}
    found["telemetry.json"] = _root(version, "telemetry", telemetry_schema(version))
    for _, word, text in version.words():
        body = event_schema(version, version.wire(word), word.values)
        found[f"event/{word.name}.json"] = _root(version, f"event:{word.name}", body | {"title": text.text})
    return found


def event_schema(version: Version, wire: str, values: type[Values]) -> Schema:
    """Return the schema of one event type: the envelope with the fields of its data."""
    return _with_data(version, version.message("Envelope"), wire, values)


def telemetry_schema(version: Version) -> Schema:
    """Return the schema of a batch: each reading is one of the measurements."""
    batch = struct_schema(version, version.message("Batch"))
    kinds = [
        _with_data(version, version.message("Measurement"), version.wire(word), word.values)
        for _, word, _ in version.words()
        if word.name in MEASUREMENTS
    ]
    batch["properties"]["readings"]["items"] = {"oneOf": kinds}
    return batch


def struct_schema(version: Version, struct: type[msgspec.Struct]) -> Schema:
    """Return the schema of a struct; a field that it does not know is allowed, and ignored."""
    told = inspect.type_info(struct)
    if not isinstance(told, inspect.StructType):  # pragma: no cover - a struct is what we were given
        raise TypeError(struct)
    properties = {one.name: _described(version, struct, one) for one in told.fields}
    required = [one.name for one in told.fields if one.required]
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _message(version: Version, name: str) -> Schema:
    return struct_schema(version, version.message(MESSAGES[name]))


def _root(version: Version, name: str, body: Schema) -> Schema:
    return {"$schema": DIALECT, "$id": f"urn:vaka:interface:{version.about.id}:{name}", **body}


def _with_data(version: Version, struct: type[msgspec.Struct], wire: str, values: type[Values]) -> Schema:
    body = struct_schema(version, struct)
    data = struct_schema(version, values)
    told = body["properties"]["data"].get("description", "")
    body["properties"]["type"] |= {"const": wire}
    body["properties"]["data"] = {"description": told, **data}
    if "required" in data:
        body["required"] = [*body["required"], "data"]
    return body


def _described(version: Version, struct: type[msgspec.Struct], one: inspect.Field) -> Schema:
    described = {"description": text_of(version, struct, one.name), **_schema(version, one.type)}
    default = one.default
    if isinstance(default, str | int | float) and default != "":
        described["default"] = getattr(default, "value", default)
    return described


def _schema(version: Version, kind: inspect.Type) -> Schema:
    if isinstance(kind, inspect.Metadata):
        return _schema(version, kind.type)
    if isinstance(kind, inspect.UnionType):
        return _union([_schema(version, one) for one in kind.types])
    if isinstance(kind, inspect.StructType):
        return struct_schema(version, kind.cls)
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return {"type": "array", "items": _schema(version, kind.item_type), **_bounds(kind)}
    if isinstance(kind, inspect.DictType):
        names, items = _schema(version, kind.key_type), _schema(version, kind.value_type)
        return {"type": "object", "propertyNames": names, "additionalProperties": items, **_bounds(kind)}
    return {**_scalar(kind), **_bounds(kind)}


def _union(options: list[Schema]) -> Schema:
    """Return one schema that is any of these; null beside one other is said by its type alone."""
    values = [one for one in options if one != {"type": "null"}]
    null = len(values) < len(options)
    if len(values) == 1 and null and "enum" not in values[0]:
        return values[0] | {"type": [values[0]["type"], "null"]}
    return {"anyOf": options}


def _scalar(kind: inspect.Type) -> Schema:
    if isinstance(kind, inspect.EnumType):
        return {"type": "string", "enum": [one.value for one in kind.cls]}
    if isinstance(kind, inspect.LiteralType):
        return {"type": "string", "enum": list(kind.values)}
    if isinstance(kind, inspect.DateTimeType):
        return {"type": "string", "format": "date-time", "pattern": OFFSET}
    return dict(_SCALARS[type(kind)])


_SCALARS: Mapping[type[inspect.Type], Schema] = {
    inspect.StrType: {"type": "string"},
    inspect.IntType: {"type": "integer"},
    inspect.FloatType: {"type": "number"},
    inspect.BoolType: {"type": "boolean"},
    inspect.NoneType: {"type": "null"},
    inspect.RawType: {"type": "object"},
}


def _bounds(kind: inspect.Type) -> Schema:
    names = _BOUNDS | ({"pattern": "pattern"} if isinstance(kind, inspect.StrType) else {})
    shortest, longest = _LENGTHS.get(type(kind), ("", ""))
    if shortest:
        names |= {"min_length": shortest, "max_length": longest}
    found = {ours: getattr(kind, theirs, None) for theirs, ours in names.items()}
    return {name: bound for name, bound in found.items() if bound is not None}
