"""Tables: staff, shifts and visits as CSV, by commas or semicolons; a fault names its line and column."""

import csv
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

from gateway.contract import ConfigurationError

Row = dict[str, Any]
MAX_ROWS = 50_000
STAFF = frozenset({"ref", "teams", "roles", "competences", "credentials"})
SHIFTS = frozenset({"staff", "team", "since", "until", "off", "id"})
VISITS = frozenset({"home", "person", "staff", "since", "until", "id"})
YES, NO = frozenset({"yes", "true", "1", "ja"}), frozenset({"", "no", "false", "0", "nej"})


def staff(text: str, tenant: str) -> list[Row]:
    """Return the people of a table; several teams, roles and the like stand in one cell, by spaces."""
    rows = []
    for _, cells in _rows(text, STAFF, {"ref", "teams"}):
        row: Row = {"ref": cells["ref"], "tenant": tenant, "teams": cells["teams"].split()}
        for name in ("roles", "competences", "credentials"):
            if cells.get(name):
                row[name] = cells[name].split()
        rows.append(row)
    return rows


def shifts(text: str, zone: ZoneInfo, source: str, team: str) -> list[Row]:
    """Return the shifts of a table; a time without an offset is the tenant's own."""
    needed = {"staff", "since", "until"} | (set() if team else {"team"})
    return [
        shift(
            cells["staff"],
            cells.get("team") or team,
            _moment(line, "since", cells, zone),
            _moment(line, "until", cells, zone),
            source,
            off=_yes(line, "off", cells),
            name=cells.get("id", ""),
        )
        for line, cells in _rows(text, SHIFTS, needed)
    ]


def visits(text: str, zone: ZoneInfo, source: str) -> list[Row]:
    """Return the planned visits of a table, as contexts of their homes."""
    rows = []
    for line, cells in _rows(text, VISITS, {"home", "since", "until"}):
        since = _moment(line, "since", cells, zone)
        until = _moment(line, "until", cells, zone)
        name = cells.get("id") or _name(source, cells["home"], cells.get("staff", ""), since.isoformat())
        row = {"id": name, "kind": "visit", "home": cells["home"], "since": since, "until": until}
        rows.append(
            row | {"person": cells.get("person", ""), "ref": cells.get("staff", ""), "source": source}
        )
    return rows


def shift(
    who: str, team: str, since: datetime, until: datetime, source: str, *, off: bool = False, name: str = ""
) -> Row:
    """Return one shift; without a name of its own it has one that is the same for the same row."""
    name = name or _name(source, who, team, since.isoformat())
    row: Row = {"id": name, "staff": who, "team": team, "since": since, "until": until, "source": source}
    return row | {"off": True} if off else row


def local(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return a moment as UTC, one without an offset by the tenant's clock."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _rows(
    text: str, allowed: Collection[str], needed: Collection[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line numbers and cells; the first line names the columns."""
    first = text.partition("\n")[0]
    reader = csv.DictReader(StringIO(text), delimiter=";" if ";" in first else ",")
    columns = [name.strip().lower() for name in reader.fieldnames or ()]
    for name in columns:
        if name not in allowed:
            raise ConfigurationError(f"line 1: found column {name!r}; allowed: {', '.join(sorted(allowed))}")
    if missing := sorted(set(needed) - set(columns)):
        raise ConfigurationError(f"line 1: the column {missing[0]!r} is missing")
    reader.fieldnames = columns
    for count, found in enumerate(reader):
        line = reader.line_num
        if count >= MAX_ROWS:
            raise ConfigurationError(f"line {line}: more than {MAX_ROWS} rows")
        if None in found or None in found.values():
            raise ConfigurationError(f"line {line}: found another number of cells than columns")
        cells = {name: value.strip() for name, value in found.items()}
        for name in sorted(needed):
            if not cells[name]:
                raise ConfigurationError(f"line {line}: {name}: found nothing; allowed: a value")
        yield line, cells


def _moment(line: int, name: str, cells: dict[str, str], zone: ZoneInfo) -> datetime:
    try:
        return local(datetime.fromisoformat(cells[name]), zone)
    except (ValueError, OverflowError) as error:
        found = f"line {line}: {name}: found {cells[name]!r}"
        raise ConfigurationError(f"{found}; allowed: a time as 2026-12-24 22:30") from error


def _yes(line: int, name: str, cells: dict[str, str]) -> bool:
    value = cells.get(name, "").lower()
    if value not in YES | NO:
        raise ConfigurationError(f"line {line}: {name}: found {value!r}; allowed: yes or no")
    return value in YES


def _name(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=10).hexdigest()
