"""Plans: the frame that one imported file becomes, by its kind and form; nothing is kept here."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.contract import ConfigurationError
from gateway.imports import calendars, tables
from gateway.model.frame import Frame, Transport

MAX_BYTES = 4 * 1024 * 1024
KINDS = ("staff", "shifts", "visits")


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """What is imported: `kind` of KINDS, the file's bytes, and what the file does not say itself.

    `source` names the plan, which a newer file of the same name replaces in its span. `team` is for
    shifts that name none. Without `since` and `until` the span is that of the rows.
    """

    kind: str
    content: bytes
    zone: ZoneInfo
    source: str
    tenant: str
    team: str = ""
    since: datetime | None = None
    until: datetime | None = None
    actor: str = ""


def frame_of(told: Import, received_at: datetime) -> Frame:
    """Return the frame to journal; ConfigurationError names the row, the key, what was found and allowed."""
    if told.kind not in KINDS:
        raise ConfigurationError(f"kind: found {told.kind!r}; allowed: {', '.join(KINDS)}")
    if len(told.content) > MAX_BYTES:
        raise ConfigurationError(f"the file has {len(told.content)} bytes; allowed: {MAX_BYTES}")
    if not told.source or len(told.source) > 100 or "\0" in told.source:
        raise ConfigurationError("source: allowed: a name of at most 100 characters")
    payload: dict[str, Any] = {"actor": told.actor}
    if told.kind == "staff":
        payload["staff"] = tables.staff(_text(told.content), told.tenant)
    else:
        payload |= _planned(told)
    body = msgspec.json.encode(payload)
    return Frame(
        Transport.REGISTRY, f"people/{told.kind}", body, received_at, ingress="import", source=told.actor
    )


def _planned(told: Import) -> dict[str, Any]:
    read: dict[tuple[str, bool], Callable[[], Sequence[tables.Row]]] = {
        ("shifts", False): lambda: tables.shifts(_text(told.content), told.zone, told.source, told.team),
        ("visits", False): lambda: tables.visits(_text(told.content), told.zone, told.source),
        ("shifts", True): lambda: calendars.shifts(
            told.content, told.zone, told.source, told.team, told.since, told.until
        ),
    }
    calendar = told.content.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"BEGIN:VCALENDAR")
    reader = read.get((told.kind, calendar))
    if reader is None:
        raise ConfigurationError(f"{told.kind}: found a calendar; allowed: a CSV file")
    rows = reader()
    if not rows and (told.since is None or told.until is None):
        raise ConfigurationError("found no rows; allowed: rows, or since and until to empty that span")
    since = told.since or min(row["since"] for row in rows)
    until = told.until or max(row["since"] for row in rows) + timedelta(seconds=1)
    return {"source": told.source, "since": since, "until": until, told.kind: rows}


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the file: found bytes that are no UTF-8 at {error.start}") from error
