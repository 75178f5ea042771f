"""Enrolment by a table: devices as CSV, by commas or semicolons; every fault is told with its place."""

import csv
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from io import StringIO
from typing import NamedTuple

from gateway.contract import ConfigurationError
from gateway.model.household import Device, Enrolment
from gateway.model.registry import Registry
from gateway.model.vocabulary import DeviceKind
from gateway.pipeline.enrolling import MAX_AT_ONCE, Entry

NEEDED = ("id", "adapter", "native_id", "kind", "home")
COLUMNS = (*NEEDED, "person", "place", "supervised", "heartbeat_s", "model")
YES, NO = frozenset({"", "yes", "ja", "true", "1"}), frozenset({"no", "nej", "false", "0"})
MAX_FAULTS = 100
"""Faults that are told of one table; with more of them something else is wrong."""
LONGEST_HEARTBEAT_S = 30 * 86400


class Known(NamedTuple):
    """What a table is held against: the registry and the adapters that read here; `since` is now."""

    registry: Registry
    adapters: frozenset[str]
    since: datetime


def read_table(name: str, text: str, known: Known) -> tuple[Entry, ...]:
    """Return the devices of a table; ConfigurationError has one line for every fault."""
    try:
        reader = csv.reader(StringIO(text.removeprefix("\ufeff")), delimiter=_delimiter(text), strict=True)
        rows = [
            (reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise ConfigurationError(f"{name}: not a table: {error}") from error
    faults = list(_heading(rows))
    if not faults:
        faults = list(_faults(rows, known))
    if faults:
        more = [f"{name}: {len(faults) - MAX_FAULTS} more faults"] if len(faults) > MAX_FAULTS else []
        raise ConfigurationError("\n".join([f"{name}: {fault}" for fault in faults[:MAX_FAULTS]] + more))
    heading = [word.lower() for word in rows[0][1]]
    return tuple(_entry(dict(zip(heading, cells, strict=True)), known) for _, cells in rows[1:])


def _delimiter(text: str) -> str:
    return ";" if ";" in text.partition("\n")[0] else ","


def _heading(rows: list[tuple[int, list[str]]]) -> Iterator[str]:
    if len(rows) < 2:
        yield f"line 1: found no device; allowed: a heading of {', '.join(COLUMNS)}, and a line a device"
        return
    heading = [word.lower() for word in rows[0][1]]
    for place, word in enumerate(heading, 1):
        if word not in COLUMNS or word in heading[: place - 1]:
            yield f"line 1, column {place}: found {word!r}; allowed: each once of {', '.join(COLUMNS)}"
    for word in NEEDED:
        if word not in heading:
            yield f"line 1: found no column {word!r}; allowed: {', '.join(NEEDED)} are needed"
    if len(rows) - 1 > MAX_AT_ONCE:
        yield f"found {len(rows) - 1} devices; allowed: {MAX_AT_ONCE} in one table"


def _faults(rows: list[tuple[int, list[str]]], known: Known) -> Iterator[str]:
    heading = [word.lower() for word in rows[0][1]]
    ids: set[str] = set()
    natives: set[tuple[str, str]] = set()
    for line, cells in rows[1:]:
        if len(cells) != len(heading):
            yield f"line {line}: found {len(cells)} cells; allowed: {len(heading)}, as the heading has"
            continue
        row = dict(zip(heading, cells, strict=True))
        for word, allowed in _wrong(row, known):
            where = f"line {line}, column {heading.index(word) + 1} ({word})"
            yield f"{where}: found {row[word]!r}; allowed: {allowed}"
        native = (row["adapter"], row["native_id"])
        for word, twice in (("id", row["id"] in ids), ("native_id", native in natives)):
            if twice:
                where = f"line {line}, column {heading.index(word) + 1} ({word})"
                yield f"{where}: found {row[word]!r} twice; allowed: each once"
        ids.add(row["id"])
        natives.add(native)


def _wrong(row: Mapping[str, str], known: Known) -> Iterator[tuple[str, str]]:
    """Yield the columns of a row that are wrong, each with what is allowed."""
    for word, (fits, allowed) in _checks(row, known).items():
        if word in row and not fits(row[word]):
            yield word, allowed


def _checks(row: Mapping[str, str], known: Known) -> dict[str, tuple[Callable[[str], bool], str]]:
    registry, home = known.registry, row["home"]
    persons = [one.ref for one in registry.persons_of(home)]
    return {
        "id": (
            lambda found: _is_id(found) and found not in registry.devices,
            "a new identity as flat-12/door",
        ),
        "adapter": (lambda found: found in known.adapters, _list(known.adapters)),
        "native_id": (
            lambda found: 0 < len(found) <= 256 and registry.device_named(row["adapter"], found) is None,
            "the vendor's name of a device that is not registered yet",
        ),
        "kind": (lambda found: found in list(DeviceKind), _list([kind.value for kind in DeviceKind])),
        "home": (registry.homes.__contains__, "a home of the registry"),
        "person": (
            lambda found: not found or found in persons,
            f"nobody, or one who lives in the home: {_list(persons)}",
        ),
        "place": (lambda found: len(found) <= 128, "at most 128 characters"),
        "supervised": (lambda found: found.lower() in YES | NO, "yes or no"),
        "heartbeat_s": (lambda found: not found or _seconds(found), "seconds, more than 0 and up to 30 days"),
        "model": (lambda found: len(found) <= 128, "at most 128 characters"),
    }


def _entry(row: Mapping[str, str], known: Known) -> Entry:
    device = Device(
        id=row["id"],
        tenant=known.registry.homes[row["home"]].tenant,
        adapter=row["adapter"],
        native_id=row["native_id"],
        kind=DeviceKind(row["kind"]),
        model=row.get("model", ""),
    )
    enrolment = Enrolment(
        device=row["id"],
        home=row["home"],
        person=row.get("person") or None,
        since=known.since,
        role=row.get("place", ""),
        supervised=row.get("supervised", "").lower() in YES,
        heartbeat_s=float(row["heartbeat_s"]) if row.get("heartbeat_s") else None,
    )
    return Entry(device, enrolment)


def _is_id(found: str) -> bool:
    try:
        Device.of(
            {"id": found, "tenant": "t", "adapter": "a", "native_id": "n", "kind": DeviceKind.LOCK.value}
        )
    except ValueError:
        return False
    return True


def _seconds(found: str) -> bool:
    try:
        return 0 < float(found) <= LONGEST_HEARTBEAT_S
    except ValueError:
        return False


def _list(words: Collection[str]) -> str:
    return ", ".join(sorted(words)) or "none here"
