"""Sharing: equal values of many records become one object, so that a large municipality fits in memory."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import force_setattr

OWN = frozenset({"secret", "certificate"})
"""Keys whose values differ from record to record: to look for equal ones would only cost."""
SHARED = (float, datetime, frozenset, tuple, msgspec.Struct)


def share(document: msgspec.Struct) -> None:
    """Let the records in a document's tuples hold one object of each value: a name, a moment, a schedule.

    Nothing can tell the difference but the memory: all of them are values that never change.
    """
    table: dict[Any, Any] = {}
    nothing: dict[Any, Any] = {}
    for heading in document.__struct_fields__:
        records = getattr(document, heading)
        if records:
            _share(records, table, nothing)


def _share(records: tuple[msgspec.Struct, ...], table: dict[Any, Any], nothing: dict[Any, Any]) -> None:
    names = [name for name in records[0].__struct_fields__ if name not in OWN]
    for record in records:
        for name in names:
            value = getattr(record, name)
            kind = type(value)
            if kind is str:  # and no word of a vocabulary, which equals its text
                same = table.setdefault(value, value)
            elif issubclass(kind, SHARED):
                same = _same(value, table)
            elif value == nothing:
                same = nothing
            else:
                continue
            if same is not value:
                force_setattr(record, name, same)


def _same(value: Any, table: dict[Any, Any]) -> Any:
    """Return the object that stands for an equal value of the same type (and of the same offset)."""
    key = (type(value), value, value.tzinfo if isinstance(value, datetime) else None)
    try:
        return table.setdefault(key, value)
    except TypeError:  # it holds a table, which has no hash
        return value
