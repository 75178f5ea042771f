"""The socket as the dialogue sees it, and the acknowledgements of one commit as one run of bytes."""

import struct
from collections.abc import Sequence
from typing import Protocol

from gateway.transports.mqtt_codec import MQTT_5

REFUSED = 0x1_0000
"""Added to a packet identifier: the frame was kept as a fault, and an MQTT 5 device is told so."""

_PUBACK = 0x4002_0000
_NOT_AUTHORIZED = 0x87


class Wire(Protocol):
    """The connection's socket, as the dialogue sees it."""

    def write(self, raw: bytes) -> None:
        """Send bytes."""
        ...

    def close(self, farewell: bytes = b"") -> None:
        """Send a last packet and close."""
        ...

    def acknowledged(self) -> None:
        """Room was made by acknowledgements."""
        ...


def pubacks(tokens: Sequence[int], level: int | None) -> bytes:
    """Return the PUBACKs of these tokens, in their order."""
    if max(tokens) < REFUSED:
        return struct.pack(f">{len(tokens)}I", *[_PUBACK | token for token in tokens])
    return b"".join(_puback(token, level) for token in tokens)


def _puback(token: int, level: int | None) -> bytes:
    if token >= REFUSED and level == MQTT_5:
        return struct.pack(">BBHB", 0x40, 3, token & 0xFFFF, _NOT_AUTHORIZED)
    return struct.pack(">BBH", 0x40, 2, token & 0xFFFF)
