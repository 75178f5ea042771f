"""Passwords of devices: made by the gateway, kept as a salted digest.

They are made by `new_password` with 128 bits of entropy, not chosen by people: guessing one is hopeless
at any speed, so a fast salted hash is the right one, and a slow hash (as argon2 for staff) would let
anybody stall the listener by trying to log in.
"""

import secrets
from hashlib import blake2b
from hmac import compare_digest

SCHEME = "blake2b"
_SALT_BYTES = 16
_DIGEST_BYTES = 32
_PASSWORD_BYTES = 16
_LONGEST_PASSWORD = 512


def new_password() -> str:
    """Make a device password of 128 random bits."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def hash_secret(password: str) -> str:
    """Return what the registry keeps of a device password: "blake2b$<salt hex>$<digest hex>"."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"{SCHEME}${salt.hex()}${_digest(password, salt).hex()}"


def verify_secret(password: str, secret: str) -> bool:
    """Tell whether the password is the one kept as `secret`; False for a secret of another form."""
    scheme, _, rest = secret.partition("$")
    salt, _, digest = rest.partition("$")
    if scheme != SCHEME or len(password) > _LONGEST_PASSWORD:
        return False
    try:
        return compare_digest(_digest(password, bytes.fromhex(salt)), bytes.fromhex(digest))
    except ValueError:
        return False


def _digest(password: str, salt: bytes) -> bytes:
    return blake2b(password.encode(), digest_size=_DIGEST_BYTES, salt=salt).digest()
