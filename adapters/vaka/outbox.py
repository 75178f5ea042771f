"""Outbox: commands and configurations on their way to a device, cut to the size of the link."""

from collections.abc import Sequence

import msgspec

from adapters.vaka import gatt
from adapters.vaka.cbor import write
from gateway.contract.gatt import Link, Order, Sent, Write

LONGEST_WRITE = 512
"""No attribute's value is longer (Core 5.4, Vol 3, Part F, 3.2.9)."""


class Outbox:
    """What is being written on this connection, each told as sent with its last fragment."""

    def __init__(self) -> None:
        self.applied: int | None = None
        """The revision of the configuration that the device says it has."""
        self._last = 0
        self._sending: dict[int, Sent] = {}

    @property
    def sending(self) -> bool:
        """True while something is half sent."""
        return bool(self._sending)

    def put(self, topic: str, payload: bytes, link: Link) -> Sequence[Order] | None:
        """Return the writes of a message; a configuration that the device has already needs none.

        None where the device takes no such message, or the message is none.
        """
        try:
            fields = msgspec.json.decode(payload, type=dict)
        except msgspec.DecodeError:
            return None
        target = gatt.CONFIG if topic.endswith("/config") else gatt.COMMAND
        if target == gatt.CONFIG and fields.get("revision") == self.applied is not None:
            return [Sent(topic, payload)]
        if target not in link.characteristics:
            return None
        try:
            parts = list(gatt.fragments(write(fields), min(link.room, LONGEST_WRITE)))
        except ValueError:
            return None
        self._last += 1
        self._sending[self._last] = Sent(topic, payload)
        writes: list[Order] = [Write(target, part) for part in parts[:-1]]
        return [*writes, Write(target, parts[-1], note=self._last)]

    def written(self, note: int) -> Sequence[Order]:
        """Tell what the last fragment completed."""
        sent = self._sending.pop(note, None)
        return [] if sent is None else [sent]

    def clear(self) -> None:
        """The link is gone: nothing of it counts as sent."""
        self._sending.clear()
        self.applied = None
