"""Events as rows: the place in the log grows with the frame, so that a frame's events are a range."""

from collections.abc import Iterable, Iterator

import msgspec

from gateway.model.event import Event, load_values

PLACES_A_FRAME = 4096
"""More events than one frame of 64 KiB can hold."""
Row = tuple[int, str, str, str, bytes]
"""place, id, device, type, body: the whole event as JSON."""


class _Stored(Event, frozen=True, kw_only=True, gc=False):
    """An event whose values still wait for the decoder of its type."""

    values: msgspec.Raw  # type: ignore[assignment] # only while it is read


_decode = msgspec.json.Decoder(_Stored).decode
_encode = msgspec.json.encode


def first_place(frame: int) -> int:
    """Return the place of a frame's first event."""
    return frame * PLACES_A_FRAME


def rows_of_events(events: Iterable[Event]) -> Iterator[Row]:
    """Yield the rows of events, those of one frame numbered in their order."""
    frame, index = 0, 0
    for event in events:
        frame, index = (frame, index + 1) if event.frame == frame else (event.frame, 0)
        yield frame * PLACES_A_FRAME + index, event.id, event.device, event.type, _encode(event)


def event_of_body(body: bytes) -> Event:
    """Return the event of a row's body."""
    stored = _decode(body)
    fields = {name: getattr(stored, name) for name in Event.__struct_fields__}
    return Event(**fields | {"values": load_values(stored.type, bytes(stored.values))})
