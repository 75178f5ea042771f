"""Whether a command may be carried out: the checks of the interface document, in their order, with grants."""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from simulators.radio.devices.clock import DeviceClock

EARLY = timedelta(seconds=60)
"""So much before `nbf` a grant holds already: clocks differ."""

Fields = dict[str, Any]
Verdict = tuple[str, str]
"""Outcome and reason."""


class Told(msgspec.Struct, frozen=True):
    """Who is told, and what it goes by.

    `known` are the words of `do` that the device has, and whether they need a grant; `used` the grants
    with the command that each was used for.
    """

    device: str
    clock: DeviceClock
    known: Mapping[str, bool]
    config: Fields
    used: dict[str, str]


def judge(command: Fields, told: Told) -> Verdict | None:
    """Return why it is not carried out; None when it is, and then its grant is used."""
    do, expires = command.get("do"), moment(command.get("expires"))
    if not isinstance(do, str) or do not in told.known:
        return "rejected", f"allowed: do = {' | '.join(told.known) or 'nothing'}"
    if expires is None:
        return "rejected", "a command needs expires, RFC 3339 with offset"
    if not told.clock.synced:
        return "rejected", "the clock is not synced, so an expiry cannot be judged"
    if expires <= told.clock.now():
        return "expired", "it came after its expiry"
    fault = _grant_fault(command, told) if told.known[do] else ""
    return ("rejected", fault) if fault else None


def _grant_fault(command: Fields, told: Told) -> str:
    claims = read_grant(str(command.get("grant", "")), told.config.get("grant_keys", []))
    if claims is None or not _fits(claims, command, told.device, told.clock.now()):
        return "it needs a valid grant"
    if told.used.setdefault(str(claims["jti"]), command["id"]) != command["id"]:
        return "the grant was used for another command"
    return ""


def read_grant(token: str, keys: list[Fields]) -> Fields | None:
    """Return the claims of a grant whose signature is right (RFC 7515, RFC 8037)."""
    try:
        signed, signature = token.rsplit(".", 1)
        header, claims = (msgspec.json.decode(_bytes(part)) for part in signed.split("."))
        key = next(one["x"] for one in keys if one["kid"] == header["kid"] and header["alg"] == "EdDSA")
        Ed25519PublicKey.from_public_bytes(_bytes(key)).verify(_bytes(signature), signed.encode())
    except (ValueError, KeyError, TypeError, StopIteration, InvalidSignature, binascii.Error):
        return None
    return claims if isinstance(claims, dict) else None


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _fits(claims: Fields, command: Fields, device: str, now: datetime) -> bool:
    wanted = (f"vaka:{device}", command["do"], command["id"])
    if (claims.get("aud"), claims.get("do"), claims.get("cmd")) != wanted or not claims.get("jti"):
        return False
    begins, ends = claims.get("nbf"), claims.get("exp")
    if not isinstance(begins, int) or not isinstance(ends, int):
        return False
    return begins - EARLY.total_seconds() <= now.timestamp() <= ends


def moment(said: object) -> datetime | None:
    """Read a time with an offset, as text or as CBOR's tag 0; None for what is none."""
    if isinstance(said, datetime):
        return said if said.tzinfo else None
    try:
        found = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return found if found.tzinfo else None
