"""Signing: addresses that come back and that nobody else can make up, and webhooks that we send."""

import hmac
from base64 import b64decode, b64encode, urlsafe_b64encode
from hashlib import sha256

MAC_BYTES = 16


class Signer:
    """Makes and checks tokens `<id>.<mac>`, each for one purpose only, with a key of this gateway."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, purpose: str, about: str) -> str:
        """Return the token that stands for `about` (letters, digits, - and _) in an address."""
        return f"{about}.{self._mac(purpose, about)}"

    def read(self, purpose: str, token: str) -> str | None:
        """Return what a token is about, None when it is not one of ours for that purpose."""
        about, _, mac = token.rpartition(".")
        return (
            about if about and hmac.compare_digest(mac.encode(), self._mac(purpose, about).encode()) else None
        )

    def opaque(self, purpose: str, about: str) -> str:
        """Return a name for `about` that tells others nothing, 22 characters of base64url."""
        return self._mac(f"name of {purpose}", about)

    def _mac(self, purpose: str, about: str) -> str:
        digest = hmac.new(self._key, f"{purpose}\0{about}".encode(), sha256).digest()
        return urlsafe_b64encode(digest[:MAC_BYTES]).rstrip(b"=").decode()


def sign(secret: str, message_id: str, stamp: str, body: bytes) -> str:
    """Return the header `webhook-signature` of Standard Webhooks 1: v1, HMAC-SHA256 of id.timestamp.body."""
    key = b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{stamp}.".encode() + body
    return f"v1,{b64encode(hmac.new(key, signed, sha256).digest()).decode()}"
