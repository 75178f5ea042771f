"""Faults: what a decoder found wrong, as the JSON path, the words and the clause that an engineer needs."""

import re
from collections.abc import Mapping

import msgspec

from gateway.contract import Undecodable

DecodeFault = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""Everything that decoding one payload can raise."""

ENVELOPE_CLAUSES = {
    "specversion": "VDI-EVT-01",
    "id": "VDI-EVT-02",
    "type": "VDI-EVT-03",
    "source": "VDI-EVT-05",
    "time": "VDI-EVT-06",
    "data": "VDI-EVT-07",
    "sequence": "VDI-EVT-08",
    "clockquality": "VDI-EVT-09",
}

_AT = re.compile(r"^(?P<words>.*) - at `\$(?P<path>.*)`$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<field>\w+)`")
_LAST_FIELD = re.compile(r"\.(\w+)(?:\[[^\]]*\])*$")


def undecodable(
    error: Exception,
    native_id: str,
    *,
    clause: str,
    clauses: Mapping[str, str] | None = None,
    root: str = "$",
    payload: bytes | None = None,
) -> Undecodable:
    """Return the refusal of a payload.

    `clause` is what a wrong value breaks; `clauses` names it by field where fields have clauses of
    their own, and `root` is where the decoded part stands in the message.
    """
    if payload == b"":
        return Undecodable("the payload is empty", clause="VDI-MQTT-03", native_id=native_id)
    if isinstance(error, UnicodeDecodeError):
        reason = f"not UTF-8: byte 0x{error.object[error.start]:02x} at {error.start}"
        return Undecodable(reason, clause="VDI-ENC-01", native_id=native_id)
    if not isinstance(error, msgspec.ValidationError):
        words = "nested too deep" if isinstance(error, RecursionError) else f"not JSON: {error}"
        return Undecodable(words, clause="VDI-ENC-02", native_id=native_id)
    words, path = _split(str(error))
    missing = _MISSING.search(words)
    if not path and not missing and root == "$":
        return Undecodable(f"`$`: {_lower(words)}", clause="VDI-ENC-02", native_id=native_id)
    last = _LAST_FIELD.search(path)
    field = missing["field"] if missing else last[1] if last else ""
    found = (clauses or {}).get(field, clause)
    return Undecodable(f"`{root}{path}`: {_lower(words)}", clause=found, native_id=native_id)


def _split(message: str) -> tuple[str, str]:
    at = _AT.match(message)
    return (at["words"], at["path"]) if at else (message, "")


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]
