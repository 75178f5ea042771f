"""Damage that knows the form of a message: fields of JSON, tags of XML, words of a line, octets."""

import base64
import binascii
import json
import random
import re
from collections.abc import Callable
from typing import Any

from gateway.model.frame import MAX_PAYLOAD_BYTES

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 101, 2**31, 2**53 + 1, 2**70, -(2**70), 10**400, 1e18, 1e300, 5e-324,
    float("nan"), float("inf"), float("-inf"), "", " ", "0", "-1", "12", "1e999", "nan", "Infinity",
    "x" * 600, "\x00", "\u2028", "\ud800", "\U0001f512", "e\u0301" * 40, "\u0665", "\u202eabc", "\ufeff{}",
    "2026-02-03T20:15:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "24:00", "{{ value }}",
    [], [[]], {}, {"a": {"b": None}}, [0] * 300, {"": ""},
)  # fmt: skip
"""What has broken decoders before: limits of types, numbers that are none, odd Unicode, wrong shapes."""

WORDS: tuple[bytes, ...] = (
    b"", b"0", b"-1", b"999999999999999999999", b"1e999", b"\x00", b"\xff\xfe", b"\xc3", b"&#x0;", b"]]>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&amp;", b"\r\n", b"," * 50, b"|" * 50, "\u2028\u0665".encode(),
)  # fmt: skip
_PIECES = re.compile(rb"<[^>]*>|[^<>,;:|#^\[\]\s=/\"]+|.", re.DOTALL)
DEPTH = 40


def mutated(payload: bytes, chance: random.Random) -> bytes:
    """Return the payload with one to three damages, each fit to what it is."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        changed = _once(payload, chance)
        if len(changed) > MAX_PAYLOAD_BYTES:
            break
        payload = changed
    return payload


def _times(wanted: int, piece: Any) -> int:
    """Return how often a piece is repeated: no more of it than a frame can hold."""
    return min(wanted, 1 + MAX_PAYLOAD_BYTES // (len(str(piece)) + 1))


def _once(payload: bytes, chance: random.Random) -> bytes:
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, (dict, list)) and parsed and chance.random() < 0.8:
        return written(_node(parsed, chance))
    return _text(payload, chance) if chance.random() < 0.6 else _octets(payload, chance)


def written(value: Any) -> bytes:
    """Write JSON as a careless sender does: NaN, endless numbers and lone surrogates as they come."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _node(node: Any, chance: random.Random) -> Any:
    """Change one place, near the leaves more often than near the root."""
    if isinstance(node, dict) and node:
        field = chance.choice(sorted(node))
        if chance.random() < 0.75 and isinstance(node[field], (dict, list, str)) and node[field]:
            return {**node, field: _node(node[field], chance)}
        return chance.choice(_FIELDS)(node, field, chance)
    if isinstance(node, list) and node:
        return _items(node, chance)
    if isinstance(node, str) and chance.random() < 0.6:
        return _string(node, chance)
    return chance.choice(HOSTILE)


def _items(node: list[Any], chance: random.Random) -> list[Any]:
    place = chance.randrange(len(node))
    turn = chance.randrange(4)
    if turn == 0:
        return node[:place] + node[place + 1 :]
    if turn == 1:
        repeated = [node[place]] * _times(chance.choice((2, 50)), node[place])
        return node[:place] + repeated + node[place + 1 :]
    return [*node[:place], _node(node[place], chance), *node[place + 1 :]]


def _string(text: str, chance: random.Random) -> str:
    """Damage bytes below base64, objects written in a string, or the letters."""
    try:
        inner = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        inner = b""
    if inner and len(text) % 4 == 0 and chance.random() < 0.8:
        return base64.b64encode(_octets(inner, chance)).decode()
    if text[:1] in "{[":
        return _once(text.encode("utf-8", "replace"), chance).decode("utf-8", "replace")
    at = chance.randrange(len(text) + 1)
    return text[:at] + str(chance.choice(HOSTILE))[:40] + text[at + chance.randrange(3) :]


def _dropped(node: dict[str, Any], field: str, _chance: random.Random) -> dict[str, Any]:
    return {name: inner for name, inner in node.items() if name != field}


def _replaced(node: dict[str, Any], field: str, chance: random.Random) -> dict[str, Any]:
    return {**node, field: chance.choice(HOSTILE)}


def _retyped(node: dict[str, Any], field: str, chance: random.Random) -> dict[str, Any]:
    inner = node[field]
    shapes: tuple[Any, ...] = (
        str(inner),
        [inner],
        {field: inner},
        json.dumps(inner),
        bool(inner),
        [inner] * 2,
    )
    return {**node, field: chance.choice(shapes)}


def _renamed(node: dict[str, Any], field: str, chance: random.Random) -> dict[str, Any]:
    other = chance.choice((field.upper(), field + " ", "", "x" * 300, chance.choice(sorted(node))))
    return {**_dropped(node, field, chance), other: node[field]}


def _deepened(node: dict[str, Any], field: str, chance: random.Random) -> dict[str, Any]:
    inner = node[field]
    for _ in range(chance.randrange(2, DEPTH)):
        inner = {field: inner} if chance.random() < 0.7 else [inner]
    return {**node, field: inner}


def _crowded(node: dict[str, Any], field: str, chance: random.Random) -> dict[str, Any]:
    return {
        **node,
        **{f"{field}{n}": node[field] for n in range(_times(chance.choice((2, 40, 200)), node[field]))},
    }


_FIELDS: tuple[Callable[[dict[str, Any], str, random.Random], dict[str, Any]], ...] = (
    _dropped, _replaced, _replaced, _replaced, _retyped, _renamed, _deepened, _crowded,
)  # fmt: skip


def _text(payload: bytes, chance: random.Random) -> bytes:
    pieces = _PIECES.findall(payload)
    if not pieces:
        return chance.choice(WORDS)
    at = chance.randrange(len(pieces))
    turn = chance.randrange(5)
    if turn == 0:
        pieces[at : at + 1] = []
    elif turn == 1:
        pieces[at : at + 1] = [pieces[at]] * _times(chance.choice((2, 30, 200)), pieces[at])
    elif turn == 2:
        other = chance.randrange(len(pieces))
        pieces[at], pieces[other] = pieces[other], pieces[at]
    else:
        pieces[at] = chance.choice(WORDS)
    return b"".join(pieces)


def _octets(payload: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(payload) + 1)
    turn = chance.randrange(5)
    if turn == 0:
        return payload[:at]
    if turn == 1:
        return (
            payload[:at] + payload[at : at + chance.randrange(1, 9)] * chance.choice((2, 30)) + payload[at:]
        )
    put = (
        chance.randbytes(chance.randrange(1, 5))
        if turn < 4
        else bytes([chance.choice((0, 0x7F, 0x80, 0xFF))])
    )
    return payload[:at] + put + payload[at + chance.randrange(len(put) + 1) :]
