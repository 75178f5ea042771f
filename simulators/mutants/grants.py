"""How a reference device judges a grant: a JWS signed with Ed25519 (RFC 7515, RFC 8037)."""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EARLY_S = 60


def signed(grant: str, keys: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the claims of a grant that a known key has signed, None for any other."""
    head, _, rest = grant.partition(".")
    body, _, signature = rest.partition(".")
    try:
        header: dict[str, Any] = msgspec.json.decode(_bytes(head))
        key = Ed25519PublicKey.from_public_bytes(_bytes(keys[header["kid"]]))
        key.verify(_bytes(signature), f"{head}.{body}".encode())
        claims: dict[str, Any] = msgspec.json.decode(_bytes(body))
    except (InvalidSignature, KeyError, ValueError):
        return None
    return claims if header.get("alg") == "EdDSA" else None


def fits(claims: Mapping[str, Any], command: Mapping[str, Any], audience: str, now_s: float) -> bool:
    """Tell whether claims are for this device, this command and this time."""
    return (
        claims.get("aud") == audience
        and (claims.get("do"), claims.get("cmd")) == (command.get("do"), command.get("id"))
        and claims.get("nbf", now_s) - EARLY_S <= now_s <= claims.get("exp", 0)
    )


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
