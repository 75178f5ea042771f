"""Speak one message to an adapter."""

from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.contract import Adapter
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Ignored, Reading

RECEIVED = datetime(2026, 2, 3, 20, 15, tzinfo=UTC)


def heard(adapter: Adapter, channel: str, payload: str | bytes) -> Sequence[Reading | Ignored]:
    """Return what the adapter makes of a message; raises Undecodable as it does."""
    raw = payload if isinstance(payload, bytes) else payload.encode()
    return adapter.decode(Frame(Transport.HTTP, channel, raw, RECEIVED))


def first(adapter: Adapter, channel: str, payload: str | bytes) -> Reading:
    """Return the first reading of a message that has one."""
    return next(item for item in heard(adapter, channel, payload) if isinstance(item, Reading))
