"""The messages: JSON objects whose keys say which part speaks; names and networks are never looked at."""

from datetime import datetime
from typing import Any

import msgspec

from gateway.contract import Undecodable
from gateway.model.instant import from_epoch, to_utc

Details = dict[str, str | int | float | bool]
MAX_PARTS = 256


def read(payload: bytes, native_id: str) -> dict[str, Any]:
    """Decode one object; raises Undecodable. Broken UTF-8 is replaced: it stands in names only."""
    try:
        found = msgspec.json.decode(payload.decode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError) as error:
        words = "nested too deep" if isinstance(error, RecursionError) else f"not JSON: {error}"
        raise Undecodable(words, clause="TAS-JSON", native_id=native_id) from None
    if not isinstance(found, dict):
        raise Undecodable("expected one JSON object", clause="TAS-JSON", native_id=native_id)
    if len(found) > MAX_PARTS:
        raise Undecodable(f"{len(found)} parts in one message", clause="TAS-FIELD", native_id=native_id)
    return found


def moment(said: object) -> datetime | None:
    """Return a time that has its offset or is a Unix time; the usual one is local and without: None."""
    if isinstance(said, int | float) and not isinstance(said, bool):
        return from_epoch(said)
    if not isinstance(said, str):
        return None
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        return None
    return to_utc(found) if found.tzinfo is not None else None


def number(found: object, path: str, native_id: str, lowest: float, highest: float) -> float | None:
    """Return a number within its limits, None for none; raises Undecodable with the path."""
    if found is None:
        return None
    if not isinstance(found, int | float) or isinstance(found, bool) or not lowest <= found <= highest:
        words = f"expected a number from {lowest:g} to {highest:g}, got {str(found)[:40]!r} - at `$.{path}`"
        raise Undecodable(words, clause="TAS-FIELD", native_id=native_id)
    return float(found)
