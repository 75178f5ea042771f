"""Asking: a search's parameters, checked against the table, as what log and registry look for."""

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import msgspec

from gateway.api.fhir.errors import BadSearchError
from gateway.contract import LogSearch, Mark, Sought
from gateway.fhir.asked import BadValue, alternatives, ids_of, names_of, period_of
from gateway.fhir.fits import fits
from gateway.fhir.kinds import CONTROLS, DATE, ID, REFERENCE, TOKEN, UPDATED, Kind, words_coded
from gateway.fhir.terms import Resource
from gateway.model.registry import Registry
from gateway.model.vocabulary import Whole

COUNT, MOST = 50, 500
"""Resources on a page that says nothing of it, and at most."""
MOST_IDS = 200
Pairs = Iterable[tuple[str, str]]
BY_DEVICE = frozenset({"device", "performer", "author"})
"""Parameters that mean the device a thing is of."""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """One search as it is carried out; `params` are those that narrow it, by name."""

    kind: Kind
    params: Mapping[str, Sequence[str]]
    count: int = COUNT
    mark: Mark = ()
    sort: str = ""
    include: tuple[str, ...] = ()

    @classmethod
    def of(cls, kind: Kind, pairs: Pairs, *, strict: bool) -> Self:
        """Read a search; BadSearchError for a bad value and, when strict, for an unknown parameter."""
        params: dict[str, list[str]] = {}
        controls: dict[str, list[str]] = {}
        for name, value in pairs:
            if name in CONTROLS:
                controls.setdefault(name, []).append(value)
            elif name == ID or name in kind.params:
                params.setdefault(name, []).append(value)
            elif _narrows(name, kind):  # to leave it out would widen what is found
                raise BadSearchError(f"{name[:80]}: modifiers, chains and _has are not supported")
            elif strict:
                allowed = ", ".join([ID, *kind.params, *sorted(CONTROLS)])
                raise BadSearchError(f"parameters of {kind.name}: found {name[:80]!r}; allowed: {allowed}")
        return cls(
            kind=kind,
            params=params,
            count=_count(controls.get("_count", [])),
            mark=_mark(controls.get("_page", [])),
            sort=_sort(kind, controls.get("_sort", []), strict=strict),
            include=tuple(_includes(kind, controls.get("_include", []), strict=strict)),
        )

    def fits(self, resource: Resource) -> bool:
        """Tell whether a resource is as asked."""
        return fits(resource, self.params, self.kind.params)

    def in_time(self, event_id: str) -> bool:
        """Tell whether an event, whose id begins with its moment, is of the date that is asked for."""
        try:
            moment_us = int(event_id[:12], 16) * 1000
        except ValueError:
            return False
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment_us)
        return period_of("date", self.params["date"]).holds(at)

    def ids(self) -> frozenset[str]:
        """Return the logical ids that are asked for, none where any may be."""
        if ID in self.params:
            found = [set(part) for part in alternatives(self.params[ID])]
            ids = frozenset(set.intersection(*found)) if found else frozenset()
        elif "focus" in self.params:  # a handling has the id of its alert
            ids = ids_of("focus", self.params["focus"], "DetectedIssue")
        else:
            return frozenset()
        if len(ids) > MOST_IDS:
            raise BadSearchError(f"ids: found {len(ids)}; allowed: {MOST_IDS}")
        return ids or frozenset({""})

    def sought(self, search: LogSearch, registry: Registry) -> Sought:
        """Return what the log is asked for; the rest is judged by the resources."""
        period = period_of("date", self.params.get("date", ()))
        updated = period_of(UPDATED, self.params.get(UPDATED, ()))
        devices = [self.params[name] for name in BY_DEVICE & self.params.keys()]
        return Sought(
            types=self._types(),
            devices=names_of(ids_of("device", devices[0], "Device"), registry.devices)
            if devices
            else frozenset(),
            persons=self._persons(registry),
            first_frame=search.frame_at(updated.since) if updated.since else 0,
            since=period.since,
            until=period.until,
            by_time="date" in self.params or self.sort in {"date", "-date"},
            newest_first=self.sort.startswith("-"),
        )

    def check(self) -> None:
        """Raise BadSearchError for a date or a reference that cannot be read."""
        for name, type_ in {**self.kind.params, ID: TOKEN}.items():
            if name not in self.params:
                continue
            if not any(alternatives(self.params[name])):
                raise BadSearchError(f"{name}: found nothing; allowed: a value")
            try:
                if type_ == DATE:
                    period_of(name, self.params[name])
                elif type_ == REFERENCE and name in {"patient", "device"}:
                    ids_of(name, self.params[name], name.capitalize())
                elif name == "focus":
                    ids_of(name, self.params[name], "DetectedIssue")
            except BadValue as error:
                raise BadSearchError(str(error)) from error

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters that were understood, as an address has them."""
        found = [(name, value) for name, values in self.params.items() for value in values]
        found += [("_sort", self.sort)] if self.sort else []
        found += [("_include", f"{self.kind.name}:{name}") for name in self.include]
        return [*found, ("_count", str(self.count))]

    def _types(self) -> frozenset[str]:
        if self.kind.name != "Observation" or "code" not in self.params:
            return frozenset()
        sets = []
        for parts in alternatives(self.params["code"]):
            split = [part.rpartition("|") for part in parts]
            coded = (words_coded(system if bar else None, code) for system, bar, code in split)
            sets.append(frozenset().union(*coded))
        return frozenset.intersection(*sets) or frozenset({"\0none"})

    def _persons(self, registry: Registry) -> frozenset[str]:
        values = self.params.get("patient") or [
            one for one in self.params.get("subject", ()) if one.startswith("Patient/") and "," not in one
        ]
        return names_of(ids_of("patient", values, "Patient"), registry.persons) if values else frozenset()


def _narrows(name: str, kind: Kind) -> bool:
    """Tell whether a parameter that is not served is one of ours with a modifier or a chain, or `_has`."""
    first = re.split(r"[:.]", name, maxsplit=1)[0]
    return first != name and first in {ID, "_has", *kind.params}


def page_token(mark: Mark) -> str:
    """Return a place in an order as an opaque word."""
    return base64.urlsafe_b64encode(json.dumps(mark).encode()).decode().rstrip("=")


def _mark(given: Sequence[str]) -> Mark:
    if not given:
        return ()
    try:
        found: Any = json.loads(base64.urlsafe_b64decode(given[-1] + "=" * (-len(given[-1]) % 4)))
        mark = tuple(msgspec.convert(found, tuple[Whole | str, ...]))
        "".join(one for one in mark if isinstance(one, str)).encode()  # half a surrogate is no text
    except (ValueError, msgspec.ValidationError) as error:
        raise BadSearchError(
            "_page: found what no link of ours says; allowed: the next link of a page"
        ) from error
    return mark


def _count(given: Sequence[str]) -> int:
    if not given:
        return COUNT
    if not given[-1].isdecimal() or len(given[-1]) > 9 or int(given[-1]) < 1:
        raise BadSearchError(f"_count: found {given[-1][:20]!r}; allowed: 1 to {MOST}")
    return min(MOST, int(given[-1]))


def _sort(kind: Kind, given: Sequence[str], *, strict: bool) -> str:
    if given and given[-1] in kind.sorts:
        return given[-1]
    if given and strict:
        raise BadSearchError(f"_sort: found {given[-1][:40]!r}; allowed: {', '.join(kind.sorts) or 'none'}")
    return ""


def _includes(kind: Kind, given: Sequence[str], *, strict: bool) -> Iterable[str]:
    for value in given:
        of, _, name = value.partition(":")
        name = name.partition(":")[0]
        if of == kind.name and name in kind.includes:
            yield name
        elif strict:
            allowed = ", ".join(f"{kind.name}:{one}" for one in kind.includes) or "none"
            raise BadSearchError(f"_include: found {value[:80]!r}; allowed: {allowed}")
