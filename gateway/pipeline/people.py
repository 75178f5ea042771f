"""People: what the single writer knows of staff at work, kept as small records beside the registry."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from gateway.model.people import Context, ContextKind, Reach, Rotation, Shift, Staff, Whereabouts
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
        self.reach: dict[str, dict[str, Reach]] = {}
        self.whereabouts: dict[str, Whereabouts] = {}
        self._shifts_of: dict[str, dict[str, Shift]] = {}
        self._contexts_of: dict[str, dict[str, Context]] = {}
        self._breaks_of: dict[str, dict[str, Context]] = {}
        self._visits_of: dict[str, dict[str, Context]] = {}
        self._off: dict[str, dict[str, Shift]] = {}
        self._teams: tuple[Registry, dict[str, list[Staff]]] | None = None
        self._credentials: tuple[Registry, dict[str, Staff]] | None = None
        self._rotations: tuple[Registry, dict[str, list[Rotation]]] | None = None
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

    def breaks_of(self, staff: str) -> Collection[Context]:
        """Return the breaks of somebody at work, past and planned."""
        return self._breaks_of.get(staff, {}).values()

    def visits_of(self, staff: str) -> Collection[Context]:
        """Return the visits planned for somebody."""
        return self._visits_of.get(staff, {}).values()

    def reach_of(self, staff: str) -> Collection[Reach]:
        """Return what is known of the ways to somebody."""
        return self.reach.get(staff, {}).values()

    def off_of(self, staff: str) -> Collection[Shift]:
        """Return the times for which somebody was taken off the plan."""
        return self._off.get(staff, {}).values()

    def known(self, registry: Registry, ref: str) -> Staff | None:
        """Return somebody who works, by the registry's file or by an import; the file's word wins."""
        return registry.staff.get(ref) or self.staff.get(ref)

    def everybody(self, registry: Registry) -> dict[str, Staff]:
        """Return all who work."""
        return {**self.staff, **registry.staff}

    def by_credential(self, registry: Registry, credential: str) -> Staff | None:
        """Return whose credential it is: one of their own, or their reference."""
        if self._credentials is None or self._credentials[0] is not registry:
            found = {
                name: staff
                for staff in self.everybody(registry).values()
                for name in (*sorted(staff.credentials), staff.ref)
            }
            self._credentials = (registry, found)
        return self._credentials[1].get(credential)

    def members(self, registry: Registry, team: str) -> list[Staff]:
        """Return the staff of a team, by reference."""
        if self._teams is None or self._teams[0] is not registry:
            teams: dict[str, list[Staff]] = {}
            for _, staff in sorted(self.everybody(registry).items()):
                for name in staff.teams:
                    teams.setdefault(name, []).append(staff)
            self._teams = (registry, teams)
        return self._teams[1].get(team, [])

    def rotations_of(self, registry: Registry, team: str) -> Collection[Rotation]:
        """Return the own schedules of a team; gone through once a registry, however many teams there are."""
        if self._rotations is None or self._rotations[0] is not registry:
            teams: dict[str, list[Rotation]] = {}
            for rotation in registry.rotations.values():
                teams.setdefault(rotation.team, []).append(rotation)
            self._rotations = (registry, teams)
        return self._rotations[1].get(team, ())

    def without_reach(self) -> "People":
        """Return a copy in which everybody can be reached."""
        made = self.copy()
        made.reach = {}
        return made

    def copy(self) -> "People":
        """Return a copy to try a change on; what is kept in it goes nowhere else."""
        made = People({}, lambda _key, _body: None)
        made.staff, made.shifts = dict(self.staff), dict(self.shifts)
        made.contexts = dict(self.contexts)
        made.reach = {staff: dict(ways) for staff, ways in self.reach.items()}
        made.whereabouts = dict(self.whereabouts)
        for mine, theirs in (
            (self._shifts_of, made._shifts_of),
            (self._off, made._off),
        ):
            theirs.update({name: dict(shifts) for name, shifts in mine.items()})
        for ours, copied in (
            (self._contexts_of, made._contexts_of),
            (self._breaks_of, made._breaks_of),
            (self._visits_of, made._visits_of),
        ):
            copied.update({name: dict(contexts) for name, contexts in ours.items()})
        return made

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
            self._off.get(old.staff, {}).pop(name, None)
        if body is not None:
            shift = msgspec.json.decode(body, type=Shift)
            self.shifts[name] = shift
            self._shifts_of.setdefault(shift.team, {})[name] = shift
            if shift.off:
                self._off.setdefault(shift.staff, {})[name] = shift

    def _take_staff(self, name: str, body: bytes | None) -> None:
        self._teams = self._credentials = None
        if body is None:
            self.staff.pop(name, None)
        else:
            self.staff[name] = Staff.from_json(body)

    def _take_context(self, name: str, body: bytes | None) -> None:
        old = self.contexts.get(name)
        if old is not None:
            self._contexts_of[old.home].pop(name, None)
            self._breaks_of.get(old.ref, {}).pop(name, None)
            self._visits_of.get(old.ref, {}).pop(name, None)
        _take(self.contexts, name, body, Context)
        if body is not None:
            new = self.contexts[name]
            self._contexts_of.setdefault(new.home, {})[name] = new
            if new.kind is ContextKind.BREAK:
                self._breaks_of.setdefault(new.ref, {})[name] = new
            elif new.kind is ContextKind.VISIT and new.ref:
                self._visits_of.setdefault(new.ref, {})[name] = new

    def _take_reach(self, name: str, body: bytes | None) -> None:
        staff, _, channel = name.partition("\0")
        _take(self.reach.setdefault(staff, {}), channel, body, Reach)

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
    return msgspec.json.encode(value)
