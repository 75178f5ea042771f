"""People: what the single writer knows of staff at work, kept as small records beside the registry."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from gateway.model.people import Context, Reach, Shift, Staff, Whereabouts
from gateway.model.registry import Registry

KEEP = timedelta(days=31)
"""How long a shift or a context is kept after its end: long enough to tell that there is a plan."""
SHIFT, CONTEXT, REACH, WHEREABOUTS, STAFF = "shift", "context", "reach", "whereabouts", "staff"
Put = Callable[[str, bytes | None], None]


class People:
    """Imported staff and shifts, contexts, reachability and whereabouts. Owned by the single writer.

    Every change is handed to `put` as a record, by its key, so that it is committed with the rest.
    """

    def __init__(self, records: Mapping[str, bytes], put: Put) -> None:
        self._put = put
        self.staff: dict[str, Staff] = {}
        self.shifts: dict[str, Shift] = {}
        self.contexts: dict[str, Context] = {}
        self.reach: dict[tuple[str, str], Reach] = {}
        self.whereabouts: dict[str, Whereabouts] = {}
        self._shifts_of: dict[str, dict[str, Shift]] = {}
        self._contexts_of: dict[str, dict[str, Context]] = {}
        for key, body in records.items():
            self.take(key, body)

    def take(self, key: str, body: bytes | None) -> None:
        """Take up one record as it was kept; None forgets it. Records of others are left alone."""
        kind, _, name = key.partition("\0")
        if kind in _KINDS:
            _KINDS[kind](self, name, body)

    def keep(self, kind: str, name: str, value: Any) -> None:
        """Keep a new or changed record, None to forget it, and hand it on."""
        body = None if value is None else _encode(value)
        key = f"{kind}\0{name}"
        self.take(key, body)
        self._put(key, body)

    def shifts_of(self, team: str) -> Mapping[str, Shift]:
        """Return the imported shifts and changes of a team."""
        return self._shifts_of.get(team, {})

    def contexts_of(self, home: str) -> list[Context]:
        """Return the contexts of a home, soonest first."""
        return sorted(self._contexts_of.get(home, {}).values(), key=lambda one: one.since)

    def known(self, registry: Registry) -> dict[str, Staff]:
        """Return everybody who works: of the registry's file and of imports; the file's word wins."""
        return {**self.staff, **registry.staff}

    def forget_before(self, moment: datetime) -> None:
        """Forget shifts and contexts that ended long before."""
        for shift in [one for one in self.shifts.values() if one.until < moment - KEEP]:
            self.keep(SHIFT, shift.id, None)
        for context in [one for one in self.contexts.values() if one.until < moment - KEEP]:
            self.keep(CONTEXT, context.id, None)

    def _take_shift(self, name: str, body: bytes | None) -> None:
        old = self.shifts.pop(name, None)
        if old is not None:
            self._shifts_of[old.team].pop(name, None)
        if body is not None:
            shift = msgspec.json.decode(body, type=Shift)
            self.shifts[name] = shift
            self._shifts_of.setdefault(shift.team, {})[name] = shift

    def _take_staff(self, name: str, body: bytes | None) -> None:
        if body is None:
            self.staff.pop(name, None)
        else:
            self.staff[name] = Staff.model_validate_json(body)

    def _take_context(self, name: str, body: bytes | None) -> None:
        old = self.contexts.get(name)
        if old is not None:
            self._contexts_of[old.home].pop(name, None)
        _take(self.contexts, name, body, Context)
        if body is not None:
            self._contexts_of.setdefault(self.contexts[name].home, {})[name] = self.contexts[name]

    def _take_reach(self, name: str, body: bytes | None) -> None:
        staff, _, channel = name.partition("\0")
        _take(self.reach, (staff, channel), body, Reach)

    def _take_whereabouts(self, name: str, body: bytes | None) -> None:
        _take(self.whereabouts, name, body, Whereabouts)


_KINDS: dict[str, Callable[[People, str, bytes | None], None]] = {
    SHIFT: People._take_shift,  # noqa: SLF001 - our own class
    CONTEXT: People._take_context,  # noqa: SLF001
    REACH: People._take_reach,  # noqa: SLF001
    WHEREABOUTS: People._take_whereabouts,  # noqa: SLF001
    STAFF: People._take_staff,  # noqa: SLF001
}


def _take(known: dict[Any, Any], name: Any, body: bytes | None, kind: type) -> None:
    if body is None:
        known.pop(name, None)
    else:
        known[name] = msgspec.json.decode(body, type=kind)


def _encode(value: Any) -> bytes:
    return value.model_dump_json().encode() if isinstance(value, Staff) else msgspec.json.encode(value)
