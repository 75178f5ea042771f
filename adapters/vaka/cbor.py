"""CBOR as the standard interface has it over GATT: a map of the same fields as the JSON, and no more."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn

import cbor2
import msgspec

from gateway.contract import Undecodable

MAX_BYTES = 4096
"""The longest value of the profile, its fragments joined."""
MAX_DEPTH = 16
MAX_INTEGER = 2**64
_PAIR = b"\x82"
_END = b"\x67the end"
"""A value is read as the first of a pair, whose second we know."""
_INNER = (str, bool, type(None))


class _NotAllowedError(ValueError):
    """Something that the profile has no use for."""


def _refuse(_value: object, _immutable: bool) -> NoReturn:  # noqa: FBT001 - cbor2 calls it so
    raise _NotAllowedError


def _text(value: object, _immutable: bool) -> object:  # noqa: FBT001 - cbor2 calls it so
    return value


_TAGS = {1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799}
_HANDLERS: dict[int, Any] = {0: _text, **dict.fromkeys(_TAGS, _refuse)}
"""Tag 0 is a time as the text it holds (RFC 8949, section 3.4.1); cbor2 knows more, and none is allowed."""


def as_json(payload: bytes, native_id: str) -> bytes:
    """Return a value as the JSON that the same message would be over MQTT; raises Undecodable."""
    return msgspec.json.encode(as_map(payload, native_id))


def as_map(payload: bytes, native_id: str = "") -> dict[str, Any]:
    """Return a value as the plain map that it is; raises Undecodable."""
    if not payload:
        raise Undecodable("the value is empty", clause="VDI-BLE-02", native_id=native_id)
    if len(payload) > MAX_BYTES:
        reason = f"{len(payload)} bytes, allowed {MAX_BYTES}"
        raise Undecodable(reason, clause="VDI-BLE-03", native_id=native_id)
    try:
        value, end = cbor2.loads(
            _PAIR + payload + _END,  # or what follows the value would go unseen
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            semantic_decoders=_HANDLERS,
            tag_hook=_refuse,
        )
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        reason = "not CBOR of definite length without tags (RFC 8949)"
        raise Undecodable(reason, clause="VDI-BLE-02", native_id=native_id) from None
    if end != _END[1:].decode():
        raise Undecodable("more than one value", clause="VDI-BLE-02", native_id=native_id)
    if not isinstance(value, dict):
        raise Undecodable("not a map", clause="VDI-BLE-02", native_id=native_id)
    try:
        return _map(value)
    except _NotAllowedError as error:
        raise Undecodable(f"`$`: {error}", clause="VDI-BLE-02", native_id=native_id) from None


def write(fields: Mapping[str, Any]) -> bytes:
    """Return a map as CBOR of definite length."""
    return cbor2.dumps(dict(fields))


def _map(value: dict[Any, Any]) -> dict[str, Any]:
    if not all(isinstance(key, str) for key in value):
        raise _NotAllowedError("a key that is no text")
    return {key: _plain(inner) for key, inner in value.items()}


def _plain(value: Any) -> Any:
    """Return what JSON has as well; anything else is refused by name."""
    if isinstance(value, _INNER):
        return value
    if isinstance(value, dict):
        return _map(value)
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, int) and -MAX_INTEGER < value < MAX_INTEGER:
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    raise _NotAllowedError(f"a value of a kind that is not allowed: {type(value).__name__[:20]}")
