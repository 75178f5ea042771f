"""Sharing: equal values of many records become one object, so that a large municipality fits in memory."""

from datetime import datetime
from typing import Any, TypeVar, get_args

import msgspec
from msgspec.structs import fields, force_setattr

OWN = frozenset({"secret", "certificate"})
"""Keys whose values differ from record to record: to look for equal ones would only cost."""
R = TypeVar("R", bound=msgspec.Struct)
SHARED = (float, datetime, frozenset, tuple, msgspec.Struct)


class Sharing:
    """Lets records hold one object of each value: a name, a moment, a schedule.

    Nothing can tell the difference but the memory: all of them are values that never change.
    """

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}
        self._nothing: dict[Any, Any] = {}

    def share(self, record: R) -> R:
        """Let a record hold what others hold already; returns the same record."""
        for name in record.__struct_fields__:
            value = getattr(record, name)
            kind = type(value)
            if kind is str:  # and no word of a vocabulary, which equals its text
                same = value if name in OWN else self._known.setdefault(value, value)
            elif issubclass(kind, SHARED):
                same = self._same(value)
            elif value == self._nothing:
                same = self._nothing
            else:
                continue
            if same is not value:
                force_setattr(record, name, same)
        return record

    def _same(self, value: Any) -> Any:
        """Return the object that stands for an equal value of the same type (and of the same offset)."""
        key = (type(value), value, value.tzinfo if isinstance(value, datetime) else None)
        try:
            return self._known.setdefault(key, value)
        except TypeError:  # it holds a table, which has no hash
            return value


def read_sharing(kind: type[R], body: bytes | str) -> R | None:
    """Read a document of lists of records from JSON, record by record; None if there is a fault in it.

    Read whole, the records of a large one would each bring their own values, four times what is kept.
    """
    sharing = Sharing()
    rows_of = {one.name: get_args(one.type)[0] for one in fields(kind)}
    found: dict[str, tuple[Any, ...]] = {}
    try:
        for heading, rows in msgspec.json.decode(body, type=dict[str, list[msgspec.Raw]]).items():
            decode = msgspec.json.Decoder(rows_of[heading]).decode
            found[heading] = tuple(sharing.share(decode(row)) for row in rows)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return kind(**found)
