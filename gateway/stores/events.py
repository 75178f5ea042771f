"""Events as rows: the place in the log grows with the frame, so that a frame's events are a range."""

from typing import Any

import msgspec

from gateway.model.event import Event, load_values
from gateway.model.vocabulary import ClockQuality, DeviceKind
from gateway.stores.sqlite import from_us, to_us

PLACES_A_FRAME = 4096
"""More events than one frame of 64 KiB can hold."""


def first_place(frame: int) -> int:
    """Return the place of a frame's first event."""
    return frame * PLACES_A_FRAME


def row_of_event(event: Event, place: int) -> tuple[object, ...]:
    """Return the columns of an event."""
    return (
        place,
        event.id,
        event.type,
        event.device,
        event.kind.value,
        event.home,
        event.person,
        to_us(event.occurred_at),
        to_us(event.received_at),
        to_us(event.processed_at),
        event.clock.value,
        event.frame,
        event.sequence,
        msgspec.json.encode(event.values),
    )


def event_of_row(row: Any) -> Event:
    """Return the event of a row."""
    _, id_, type_, device, kind, home, person, occurred, received, processed, clock, frame, sequence, body = (
        row
    )
    return Event(
        id=id_,
        type=type_,
        device=device,
        kind=DeviceKind(kind),
        home=home,
        person=person,
        occurred_at=from_us(occurred),
        received_at=from_us(received),
        processed_at=from_us(processed),
        clock=ClockQuality(clock),
        late_s=(received - occurred) / 1e6,
        frame=frame,
        values=load_values(type_, body),
        sequence=sequence,
    )
