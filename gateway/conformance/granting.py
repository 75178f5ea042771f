"""Granting: the kit signs grants as the gateway does, and as nobody should."""

from datetime import timedelta
from secrets import token_bytes
from typing import Any

from gateway.contract import Clock
from gateway.model.wire import Grant, GrantKey
from gateway.stores.keys import GrantSigner

NEEDS_GRANT = ("unlock", "supervise")
"""What a command must have a grant for, where the device takes grants (VDI-CMD-05)."""
LASTS = timedelta(minutes=5)
EARLIER = timedelta(seconds=60)
"""A grant begins so long before it is given: the device's clock may be a little behind ours."""


class Granting:
    """Two keys: one that the device is told of, one that it has never heard of."""

    def __init__(self, native_id: str, clock: Clock) -> None:
        self._audience, self._clock = f"vaka:{native_id}", clock
        self._known, self._unknown = GrantSigner(token_bytes(32)), GrantSigner(token_bytes(32))

    @property
    def key(self) -> GrantKey:
        """The public key that the device must be told, by its configuration."""
        return self._known.key

    def grant(self, command: str, do: str, *, forged: bool = False, **other: Any) -> str:
        """Return the grant for one command, with `other` claims in the place of the right ones."""
        now = self._clock.now()
        claims: dict[str, Any] = {
            "jti": f"grant-{command}",
            "aud": self._audience,
            "do": do,
            "cmd": command,
            "nbf": int((now - EARLIER).timestamp()),
            "exp": int((now + LASTS).timestamp()),
        }
        return (self._unknown if forged else self._known).sign(Grant(**(claims | other)))
