"""What the listener keeps over a restart, one msgpack record a key."""

from datetime import datetime

import msgspec

SESSION, MESSAGE, RETAINED, WILL = "session", "message", "retained", "will"
_SEPARATOR = "\0"


class Subscription(msgspec.Struct, frozen=True, array_like=True):
    """What a device asked for: highest QoS, and whether the retain flag is kept as published."""

    qos: int
    as_published: bool = False


class SessionRecord(msgspec.Struct, array_like=True):
    """One session of one device (MQTT 5.0 section 4.1).

    `expiry_s` 0 ends with the connection. `left_at` is None while connected. `next` numbers the next
    outgoing message, `sent` is the highest number that was sent at least once.
    """

    device: str
    client_id: str
    expiry_s: int = 0
    subscriptions: dict[str, Subscription] = {}
    left_at: datetime | None = None
    next: int = 1
    sent: int = 0

    @property
    def key(self) -> str:
        """Where it is kept: a client id belongs to its device."""
        return key_of(SESSION, self.device, self.client_id)


class Message(msgspec.Struct, frozen=True, array_like=True):
    """One message to a device that waits for its acknowledgement."""

    number: int
    topic: str
    payload: bytes
    retain: bool
    expires_at: datetime | None


class Retained(msgspec.Struct, frozen=True, array_like=True):
    """The last configuration published to a topic."""

    payload: bytes
    expires_at: datetime | None


class WillRecord(msgspec.Struct, frozen=True, array_like=True):
    """A last will. `due_at` is None while its device is connected."""

    device: str
    client_id: str
    topic: str
    payload: bytes
    delay_s: int
    due_at: datetime | None = None


def key_of(kind: str, *parts: str) -> str:
    """Return a record's key; no part can hold the separator, MQTT forbids it in text."""
    return _SEPARATOR.join((kind, *parts))


def kind_of(key: str) -> tuple[str, list[str]]:
    """Return the kind and the parts of a key."""
    kind, *parts = key.split(_SEPARATOR)
    return kind, parts
