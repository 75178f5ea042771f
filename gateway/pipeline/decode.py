"""Decode: a frame goes to the adapter that reads its channel, and comes out as readings or as a failure."""

from collections.abc import Sequence

import msgspec

from gateway.contract import Adapter, Undecodable
from gateway.model.forwarded import ADAPTER, Forwarded, edge_of, longest, read_forwarded
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Ignored, Reading

WEBHOOK_PREFIX = "/in/"
"""What the webhook's path has before the topic that the same message would have over MQTT."""


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """What a frame said; a `failure` sends it to quarantine, and `native_id` may still name the device.

    Of a frame that a home edge passed on, `edge` is the edge's native id and `forwarded` what it told.
    """

    adapter: str = ""
    items: Sequence[Reading | Ignored] = ()
    failure: str = ""
    clause: str = ""
    native_id: str = ""
    edge: str = ""
    forwarded: Forwarded | None = None


NOTHING = Decoded()


class AdapterTable:
    """Finds the adapter of a channel by its MQTT filters; the most literal filter wins."""

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self.adapters = {adapter.manifest.id: adapter for adapter in adapters}
        self._by_root: dict[str, list[tuple[list[str], Adapter]]] = {}
        for adapter in adapters:
            for topic in adapter.manifest.topics:
                parts = topic.split("/")
                self._by_root.setdefault(parts[0], []).append((parts, adapter))
        for entries in self._by_root.values():
            entries.sort(key=lambda entry: sum(part not in "+#" for part in entry[0]), reverse=True)
        self._alone = {
            root: entries[0][1]
            for root, entries in self._by_root.items()
            if root not in ("+", "#") and len({adapter.manifest.id for _, adapter in entries}) == 1
        }

    def find(self, channel: str) -> Adapter | None:
        """Return the adapter that reads a channel.

        An adapter that alone names the channel's first level is not asked for its filters: it knows best
        why it cannot read a topic of its own. Filters that begin with a wildcard get what is left.
        """
        alone = self._alone.get(channel.partition("/")[0])
        if alone is not None:
            return alone
        parts = channel.split("/")
        for root in (parts[0], "+", "#"):
            for pattern, adapter in self._by_root.get(root, ()):
                if matches(pattern, parts):
                    return adapter
        return None


def matches(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """Tell whether topic levels match a filter's levels (MQTT 5.0, section 4.7)."""
    for index, level in enumerate(pattern):
        if level == "#":
            return True
        if index >= len(parts) or level not in ("+", parts[index]):
            return False
    return len(pattern) == len(parts)


def decode(frame: Frame, table: AdapterTable) -> Decoded:
    """Read one frame; never raises, because one bad frame must not stop the next."""
    if frame.fault:
        clause, _, reason = frame.fault.partition(": ")
        return Decoded(failure=reason or frame.fault, clause=clause if reason else "transport")
    allowed = longest(frame.channel)
    if len(frame.payload) > allowed:
        return Decoded(
            failure=f"payload of {len(frame.payload)} bytes, allowed {allowed}",
            clause="VDI-MQTT-LIMIT",
        )
    edge = edge_of(frame.channel)
    return _forwarded(frame, edge, table) if edge else _read(frame, table)


def _forwarded(frame: Frame, edge: str, table: AdapterTable) -> Decoded:
    """Read the frame within an edge's message."""
    try:
        told = read_forwarded(frame.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError) as error:
        return Decoded(ADAPTER, (), f"no envelope of a forwarded frame: {error}", "edge", edge, edge)
    if edge_of(told.channel):
        return Decoded(ADAPTER, (), "an edge does not forward what another forwarded", "edge", edge, edge)
    inner = decode(told.frame(frame, edge), table)
    return msgspec.structs.replace(inner, edge=edge, forwarded=told)


def _read(frame: Frame, table: AdapterTable) -> Decoded:
    channel = frame.channel
    if frame.transport is Transport.HTTP:
        channel = channel.removeprefix(WEBHOOK_PREFIX)
        frame = msgspec.structs.replace(frame, channel=channel)
    adapter = table.find(channel)
    if adapter is None:
        return Decoded(failure=f"no adapter reads the channel {channel!r}", clause="channel")
    name = adapter.manifest.id
    try:
        return Decoded(name, adapter.decode(frame))
    except Undecodable as error:
        return Decoded(name, (), error.reason, error.clause, error.native_id)
    except Exception as error:  # noqa: BLE001 - an adapter may be a stranger's: its fault costs one frame, not the feed
        return Decoded(name, (), f"the adapter failed with {type(error).__name__}", "adapter")
