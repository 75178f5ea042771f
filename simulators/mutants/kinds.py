"""What a reference device of each kind says, obeys, and would say wrongly."""

from typing import Any

import msgspec

POSITION = {"latitude": 59.3, "longitude": 18.0, "accuracy_m": 8.0}
DOSE = {"dose": "dose-17", "due_at": "2026-11-23T08:00:00+00:00", "window_min": 60}


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind: its words with their data, the easiest first, and the word that each command makes it say."""

    name: str
    words: dict[str, dict[str, Any]]
    commands: dict[str, str] = {}


LOCK = Kind(
    name="lock",
    words={
        "lock.unlocked": {"means": "tag", "credential": "cred-7"},
        "lock.locked": {"means": "tag", "credential": "cred-7"},
    },
    commands={"lock": "lock.locked", "unlock": "lock.unlocked"},
)
GPS_ALARM = Kind(
    name="gps_alarm",
    words={"alarm.manual": {"presses": 1} | POSITION, "position.update": POSITION},
    commands={"locate": "position.update"},
)
SOCIAL_ALARM = Kind(name="social_alarm", words={"alarm.manual": {"presses": 1}, "test": {}})
DISPENSER = Kind(name="medication_dispenser", words={"medication.taken": DOSE, "medication.missed": DOSE})
CAMERA = Kind(
    name="camera",
    words={"supervision.performed": {"outcome": "seen", "masking": 2}, "lens.covered": {"code": "lens"}},
    commands={"supervise": "supervision.performed"},
)
KINDS = {kind.name: kind for kind in (LOCK, GPS_ALARM, SOCIAL_ALARM, DISPENSER, CAMERA)}

LACKS = {
    "VDI-LOCK-03": "lock.locked",
    "VDI-GPS-01": "position.update",
    "VDI-SOC-01": "alarm.manual",
    "VDI-MED-02": "medication.missed",
    "VDI-CAM-02": "supervision.performed",
}
"""The clauses about what a kind must say: the word that the faulty device of that kind has not got."""
SAYS_WRONGLY: dict[str, dict[str, Any]] = {
    "VDI-LOCK-02": {"credential": "4711"},
    "VDI-MED-01": {"dose": "Exempel 500 mg"},
    "VDI-CAM-01": {"details": {"picture": "A" * 300}, "extra": {"deep": ["A" * 5000]}},
    "VDI-EVT-07": {"battery_percent": 140},
}
"""Data that breaks a clause."""
NEED_GRANT = ("unlock", "supervise")


def kind_of(clause: str) -> str:
    """Return the kind of device whose faulty one breaks a clause; a lock for a clause of all kinds."""
    groups = {"GPS": "gps_alarm", "SOC": "social_alarm", "MED": "medication_dispenser", "CAM": "camera"}
    return groups.get(clause[4:7], "lock")


def words_of(kind: str, fault: str = "") -> tuple[str, ...]:
    """Return the words that a device of a kind can be brought to say, without what the fault takes."""
    return tuple(word for word in KINDS[kind].words if word != LACKS.get(fault))
