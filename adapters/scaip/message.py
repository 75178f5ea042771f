"""One SCAIP request: its fields, padded and defaulted as alarm receivers do it."""

import re
from datetime import datetime

import msgspec

from gateway.contract import Undecodable
from gateway.contract.markup import Node, read_markup
from gateway.model.instant import from_iso

CLAUSES: dict[str, str] = {
    "SCAIP-XML": "The message is one XML document with the root mrq (reply code 2, invalid format).",
    "SCAIP-MANDATORY": "ref, cid and dty are present (reply code 7, mandatory tag missing).",
    "SCAIP-FIELD": "Numbers have the digits that the standard gives them (reply code 3, wrong data content).",
    "SCAIP-TYPE": "mty is ME, RE, IN or PI (reply code 3, wrong data content).",
    "SCAIP-CODE": "dty and stc are codes of the published tables, and mean something together.",
    "SCAIP-TOPIC": "The channel is sip/{user}.",
}
"""Every clause by its id; the reply code is what the sender is told."""

STATUS_NUMBERS = {
    "SCAIP-XML": 2,
    "SCAIP-MANDATORY": 7,
    "SCAIP-FIELD": 3,
    "SCAIP-TYPE": 3,
    "SCAIP-CODE": 3,
    "SCAIP-TOPIC": 5,
}
"""The reply's `snu` of each clause."""

MANDATORY = ("ref", "cid", "dty")
TYPES = frozenset({"ME", "RE", "IN", "PI"})
ROOTS = frozenset({"mrq", "scaip"})
"""The root of a request, and the one that a dialect writes."""
MAX_ID = 64


class Place(msgspec.Struct, frozen=True):
    """Where: WGS 84 degrees, and when it was measured."""

    latitude: float
    longitude: float
    at: datetime | None = None


class Message(msgspec.Struct, frozen=True):
    """A request; `caller` is the scheme alone of the number to call back, never the number."""

    ref: str
    controller: str
    device_type: str
    status: str
    kind: str
    location: str = ""
    sub_id: str = ""
    component: str = ""
    caller: str = ""
    place: Place | None = None


def read_message(payload: bytes) -> Message | None:
    """Read a request; None for a reply; raises Undecodable with clause and controller."""
    try:
        root = read_markup(payload, fallback="iso-8859-1")
    except ValueError as error:
        raise Undecodable(f"{error} (reply 2)", clause="SCAIP-XML") from None
    fields = {child.name.lower(): child.text for child in reversed(root.children)}
    name = root.name.lower()
    if name == "mrs":
        return None
    controller = fields.get("cid", "")[:MAX_ID]
    missing = [field for field in MANDATORY if not fields.get(field)]
    if missing:
        reason = f"mandatory {', '.join(missing)} missing (reply 7)"
        raise Undecodable(reason, clause="SCAIP-MANDATORY", native_id=controller)
    if name not in ROOTS:
        reason = f"the root is {name[:16]!r}, expected mrq (reply 2)"
        raise Undecodable(reason, clause="SCAIP-XML", native_id=controller)
    return _message(root, fields, controller)


def _message(root: Node, fields: dict[str, str], controller: str) -> Message:
    kind = (fields.get("mty") or "ME").upper()
    if kind not in TYPES:
        reason = f"unknown message type {kind[:8]!r} (reply 3)"
        raise Undecodable(reason, clause="SCAIP-TYPE", native_id=controller)
    if len(fields["ref"]) > MAX_ID:
        raise Undecodable("ref is too long (reply 3)", clause="SCAIP-FIELD", native_id=controller)
    place = _place(next((child for child in root.children if child.name.lower() == "lge"), None))
    return Message(
        ref=fields["ref"],
        controller=controller,
        device_type=_number(fields, "dty", 4, controller),
        status=_number(fields, "stc", 4, controller, default="10"),
        kind=kind,
        location=_number(fields, "lco", 3, controller, default="0"),
        sub_id=fields.get("did", "")[:16],
        component=fields.get("dco", "")[:3] if fields.get("dco", "").isdecimal() else "",
        caller=_scheme(fields.get("crd", "")),
        place=place,
    )


def _number(fields: dict[str, str], name: str, digits: int, controller: str, default: str = "") -> str:
    """Return a code padded to its digits: senders write 02, 010 and 0010 for the same."""
    found = fields.get(name) or default
    bare = found.lstrip("0")
    if not (found.isascii() and found.isdigit()) or len(bare) > digits:
        reason = f"{name}: expected up to {digits} digits, got {found[:12]!r} (reply 3)"
        raise Undecodable(reason, clause="SCAIP-FIELD", native_id=controller)
    return bare.zfill(digits)


def _place(found: Node | None) -> Place | None:
    if found is None:
        return None
    fields = {child.name.lower(): child.text for child in found.children}
    at = from_iso(fields.get("tim", ""))
    degrees = _decimal(fields.get("geo", "")) or _nmea(fields.get("gga", ""))
    return Place(*degrees, at) if degrees else None


def _decimal(text: str) -> tuple[float, float] | None:
    """Read decimal degrees, latitude first."""
    parts = text.replace(";", ",").replace(" ", ",").split(",")
    try:
        latitude, longitude = (float(part) for part in parts if part)
    except ValueError:
        return None
    return _on_earth(latitude, longitude)


def _nmea(text: str) -> tuple[float, float] | None:
    """Read an NMEA 0183 GGA sentence: ddmm.mmmm,N,dddmm.mmmm,E; a fix quality of 0 is no position."""
    parts = text.split(",")
    try:
        start = next(n for n, part in enumerate(parts) if part in ("N", "S"))
        latitude = _minutes(parts[start - 1], 2) * (-1 if parts[start] == "S" else 1)
        longitude = _minutes(parts[start + 1], 3) * (-1 if parts[start + 2] == "W" else 1)
        quality = parts[start + 3] if len(parts) > start + 3 else ""
    except (StopIteration, IndexError, ValueError):
        return None
    return None if quality == "0" else _on_earth(latitude, longitude)


def _minutes(text: str, digits: int) -> float:
    return float(text[:digits]) + float(text[digits:]) / 60


def _on_earth(latitude: float, longitude: float) -> tuple[float, float] | None:
    inside = -90 <= latitude <= 90 and -180 <= longitude <= 180
    return (latitude, longitude) if inside else None


def _scheme(caller: str) -> str:
    """Return the scheme of a caller's address: what stands there without one is the number itself."""
    scheme, colon, _number = caller.partition(":")
    return scheme[:16] if colon and re.fullmatch(r"[A-Za-z-]{1,16}", scheme) else ""
