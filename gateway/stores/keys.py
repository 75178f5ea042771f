"""The keys that a gateway makes for itself at its first start: files that only its user may read."""

import os
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from py_vapid import Vapid02, b64urlencode

from gateway.contract import ConfigurationError, StoreUnavailableError
from gateway.model.wire import Grant, GrantKey

SIGNING_BYTES = 32
OWNER_ONLY = 0o600


class PushKey:
    """The key pair by which push services know this gateway (VAPID, RFC 8292)."""

    def __init__(self, pem: bytes) -> None:
        self._vapid = Vapid02.from_pem(pem)

    @property
    def public(self) -> str:
        """The uncompressed public key in base64url: a browser's `applicationServerKey`."""
        numbers = self._vapid.public_key.public_numbers()
        point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        return str(b64urlencode(point))

    def authorization(self, audience: str, subject: str, expires_at: int) -> str:
        """Return the header that a push service asks for; `expires_at` in epoch seconds, within 24 h."""
        claims: dict[str, str | int] = {"aud": audience, "sub": subject, "exp": expires_at}
        return str(self._vapid.sign(claims)["Authorization"])


class GrantSigner:
    """The key by which devices know that a grant is this gateway's (Ed25519, RFC 8032)."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes_raw()
        x = _base64url(public)
        self.key = GrantKey(kid=_base64url(sha256(public).digest())[:16], x=x)

    def sign(self, grant: Grant) -> str:
        """Return the grant as a JWS in compact serialization (RFC 7515, RFC 8037); always the same bytes."""
        header = msgspec.json.encode({"alg": "EdDSA", "kid": self.key.kid})
        said = f"{_base64url(header)}.{_base64url(msgspec.json.encode(grant))}"
        return f"{said}.{_base64url(self._key.sign(said.encode()))}"


def grant_signer(folder: Path) -> GrantSigner:
    """Return the signer of grants; its key is made at the first start, and every device must be told it."""
    path = folder / "grant.key"
    try:
        return GrantSigner(_kept(path, lambda: token_bytes(SIGNING_BYTES)))
    except ValueError as error:
        allowed = "the key made here"
        raise ConfigurationError(f"{path}: found no Ed25519 seed of 32 bytes; allowed: {allowed}") from error


def _base64url(found: bytes) -> str:
    return urlsafe_b64encode(found).rstrip(b"=").decode()


def signing_key(folder: Path) -> bytes:
    """Return the key of our own tokens, made at the first start."""
    found = _kept(folder / "signing.key", lambda: token_bytes(SIGNING_BYTES))
    if len(found) < SIGNING_BYTES:
        raise ConfigurationError(
            f"{folder / 'signing.key'}: found {len(found)} bytes; allowed: the key made here"
        )
    return found


def push_key(folder: Path) -> PushKey:
    """Return the VAPID key, made at the first start: a new one makes every subscription useless."""
    path = folder / "vapid.pem"
    try:
        return PushKey(_kept(path, _new_pem))
    except ValueError as error:
        raise ConfigurationError(f"{path}: found no P-256 private key; allowed: the key made here") from error


def _new_pem() -> bytes:
    vapid = Vapid02()
    vapid.generate_keys()
    return bytes(vapid.private_pem())


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return what the file holds; make it, readable by its owner only, if it is not there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write(path, make())
        return path.read_bytes()
    except OSError as error:
        raise StoreUnavailableError(f"{path}: cannot be kept: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    """Write whole or not at all: half a key would be taken for a key at the next start."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
