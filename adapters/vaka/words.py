"""Words: how each type of the vocabulary is read from the wire, prepared once."""

from collections.abc import Callable

import msgspec

from gateway.model.vocabulary import VOCABULARY, DeviceKind, Values

_KINDS = {
    "lock": DeviceKind.LOCK,
    "medication": DeviceKind.DISPENSER,
    "supervision": DeviceKind.CAMERA,
    "stream": DeviceKind.CAMERA,
    "lens": DeviceKind.CAMERA,
    "camera": DeviceKind.CAMERA,
    "privacy": DeviceKind.CAMERA,
    "position": DeviceKind.GPS_ALARM,
    "geofence": DeviceKind.GPS_ALARM,
    "fix": DeviceKind.GPS_ALARM,
    "bed": DeviceKind.BED_SENSOR,
    "motion": DeviceKind.MOTION_SENSOR,
    "presence": DeviceKind.MOTION_SENSOR,
    "inactivity": DeviceKind.MOTION_SENSOR,
    "smoke": DeviceKind.SMOKE_DETECTOR,
    "leak": DeviceKind.LEAK_DETECTOR,
    "enuresis": DeviceKind.ENURESIS_DETECTOR,
    "button": DeviceKind.BUTTON,
}
"""What a device must be that says such a word; words that several kinds say are left out."""


class Word(msgspec.Struct, frozen=True, gc=False):
    """One type: its name in the model, the kind it gives away, and the decoder of its data."""

    name: str
    kind: DeviceKind
    decode: Callable[[msgspec.Raw], Values]


WORDS: dict[str, Word] = {
    word.wire: Word(
        word.name,
        _KINDS.get(word.name.partition(".")[0], DeviceKind.UNKNOWN),
        msgspec.json.Decoder(word.values).decode,
    )
    for word in VOCABULARY.values()
}
"""Every type by its name on the wire."""
