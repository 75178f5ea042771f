"""Readings: what may be told of what a device said, field by field; what is not listed is left out."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.registry import Registry
from gateway.model.vocabulary import VOCABULARY, Values
from gateway.pipeline.decode import Decoded
from gateway.pipeline.news import NEVER_TAKEN_FOR_A_REPEAT
from gateway.recording.form import DeviceLine, Said, raw
from gateway.recording.names import Names
from gateway.recording.places import Places, Unmoved

REJECTED = "rejected"
"""Stands for the clause of a rejection where references are removed: it may quote what a device sent."""
LATITUDE, LONGITUDE = "latitude", "longitude"


class Told(StrEnum):
    """How a field of an event's values is told."""

    AS_IS = "a number, a time or a word of a closed list"
    REFERENCE = "a pseudonym"
    WORD = "a known word, else a pseudonym"
    PLACE = "moved with its home"


FIELDS: Mapping[str, Told] = {
    **dict.fromkeys(("battery_percent", "link_quality", "means", "open_s", "presses"), Told.AS_IS),
    **dict.fromkeys(("accuracy_m", "speed_kmh", "due_at", "window_min", "outcome", "masking"), Told.AS_IS),
    **dict.fromkeys(("duration_s", "connected_since", "silent_s"), Told.AS_IS),
    **dict.fromkeys(("credential", "visit", "dose", "slot", "grant"), Told.REFERENCE),
    **dict.fromkeys(("source", "geofence", "code", "link", "location", "button", "press"), Told.WORD),
    **dict.fromkeys((LATITUDE, LONGITUDE), Told.PLACE),
}
"""All that is told. Left out: the vendor's own `details`, `firmware`, `config_revision` and `altitude_m`."""


class Readings:
    """Makes a device's frame a line, by the registry as it stands."""

    def __init__(self, names: Names, places: Places | Unmoved) -> None:
        self._names, self._places = names, places

    def line(self, frame: Frame, decoded: Decoded, registry: Registry) -> DeviceLine:
        """Return the frame's header and what it said; of devices that are not enrolled nothing is told."""
        names = self._names
        told = DeviceLine(
            n=frame.position,
            at=frame.received_at,
            transport=frame.transport,
            adapter=decoded.adapter,
            source=names.ref(frame.source) if frame.source in registry.devices else "",
            retained=frame.retained,
            duplicate=frame.duplicate,
            heard_by=names.ref(frame.heard_by) if frame.heard_by else "",
            heard_at=frame.heard_at,
            heard_synced=frame.heard_synced,
        )
        if decoded.failure:
            device = registry.device_named(decoded.adapter, decoded.native_id)
            clause = decoded.clause if names.kept and len(decoded.clause) < len(REJECTED) * 8 else REJECTED
            return msgspec.structs.replace(
                told, rejected=clause or REJECTED, device=names.ref(device.id) if device else ""
            )
        said = tuple(self._said(decoded.adapter, decoded.items, registry))
        digest = names.digest(frame.channel.encode(), frame.payload) if any(map(_keyless, said)) else ""
        return msgspec.structs.replace(told, said=said, digest=digest)

    def _said(self, adapter: str, items: Sequence[Reading | Ignored], registry: Registry) -> list[Said]:
        found = []
        for one in items:
            device = registry.device_named(adapter, one.native_id)
            enrolment = registry.enrolments.get(device.id) if device else None
            if isinstance(one, Ignored) or device is None or enrolment is None:
                continue
            if one.type not in VOCABULARY:
                continue
            found.append(
                Said(
                    device=self._names.ref(device.id),
                    kind=one.kind,
                    type=one.type,
                    values=raw(self._values(one.values, enrolment.home)),
                    at=one.occurred_at,
                    clock=one.clock,
                    key=self._names.ref(one.key),
                    happened=one.happened,
                    packet=one.packet,
                )
            )
        return found

    def _values(self, values: Values, home: str) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for name, value in msgspec.structs.asdict(values).items():
            how = FIELDS.get(name)
            if how is None or value is None:
                continue
            if how is Told.AS_IS:
                told[name] = value
            elif how is Told.REFERENCE:
                told[name] = self._names.ref(value)
            elif how is Told.WORD:
                told[name] = self._names.word(value)
        at = getattr(values, LATITUDE, None), getattr(values, LONGITUDE, None)
        if at[0] is not None and at[1] is not None:
            told[LATITUDE], told[LONGITUDE] = self._places.moved(home, (at[0], at[1]))
        return told


def _keyless(said: Said) -> bool:
    """Tell whether only its payload shows that it was sent again (`gateway.pipeline.news.sent_again`)."""
    return not said.key and said.happened and said.type not in NEVER_TAKEN_FOR_A_REPEAT
