"""The clauses of the standard device interface, version 1, as data."""

from typing import Literal

import msgspec


class Clause(msgspec.Struct, frozen=True):
    """One clause: `must` is refused when broken, `should` is only counted by the conformance kit."""

    id: str
    level: Literal["must", "should"]
    en: str
    sv: str = ""
    profile: tuple[str, ...] = ()


_CLAUSES = (
    Clause("VDI-MQTT-01", "must", "The topic is vaka/1/{tenant}/{device}/{branch}, every level filled."),
    Clause("VDI-MQTT-02", "must", "A device publishes to event, status, telemetry and result only."),
    Clause("VDI-MQTT-03", "must", "A message is not empty; an empty status only clears the retained one."),
    Clause("VDI-MQTT-04", "must", "A message is at most 64 KiB."),
    Clause("VDI-MQTT-05", "should", "Events are sent with QoS 1 and never retained; the status is retained."),
    Clause("VDI-MQTT-06", "must", "The last will is the status with state offline; it carries no time."),
    Clause("VDI-ENC-01", "must", "The payload is UTF-8."),
    Clause("VDI-ENC-02", "must", "The payload is one JSON object (RFC 8259), nested at most 100 deep."),
    Clause("VDI-EVT-01", "must", "specversion is 1.0 (CloudEvents 1.0, structured mode)."),
    Clause("VDI-EVT-02", "must", "id has 1 to 128 characters and is the same when the event is sent again."),
    Clause("VDI-EVT-03", "must", "type is a word of the vocabulary, as vaka.lock.unlocked.v1."),
    Clause("VDI-EVT-04", "should", "source is given and ends with {tenant}/{device}."),
    Clause("VDI-EVT-05", "must", "source, when given, names the device of the topic."),
    Clause("VDI-EVT-06", "must", "time is RFC 3339 with an offset: when it happened, not when it was sent."),
    Clause("VDI-EVT-07", "must", "data has the fields of its type, in their units and within their limits."),
    Clause("VDI-EVT-08", "must", "sequence is a whole number from 0, counted per device and never reused."),
    Clause("VDI-EVT-09", "must", "clockquality is synced or unsynced; without it the clock is unsynced."),
    Clause("VDI-EVT-10", "must", "An unknown field is allowed, and ignored."),
    Clause("VDI-STA-01", "must", "state is online or offline."),
    Clause("VDI-STA-02", "must", "The other fields of a status have their types and limits, when given."),
    Clause("VDI-TEL-01", "must", "A batch is {readings: [...]} with 1 to 1000 readings of type, time, data."),
    Clause("VDI-TEL-02", "must", "A batch carries measurements only: a happening is an event of its own."),
    Clause("VDI-RES-01", "must", "A result has the command's id and an outcome."),
    Clause(
        "VDI-LOCK-01",
        "should",
        "A lock says by what means and with which credential it was operated.",
        profile=("lock",),
    ),
    Clause(
        "VDI-LOCK-02",
        "must",
        "A credential is an opaque reference: never a code, a name or a key.",
        profile=("lock",),
    ),
    Clause(
        "VDI-MED-01",
        "must",
        "A dose is an opaque reference: never a drug or a prescription.",
        profile=("medication_dispenser",),
    ),
    Clause(
        "VDI-CAM-01",
        "must",
        "No image, sound or video passes through the event interface.",
        profile=("camera",),
    ),
)


def clauses_of(version: str) -> tuple[Clause, ...]:
    """Return the clauses of a version, none for one that is not known."""
    return _CLAUSES if version == "v1" else ()
