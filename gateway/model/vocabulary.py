"""The vocabulary of the standard device interface, version 1: every kind of event, and its typed values."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Accuracy = Annotated[float, msgspec.Meta(ge=0, le=20_100_000)]
"""Metres; at most half the Earth's circumference."""
Altitude = Annotated[float, msgspec.Meta(ge=-12_000, le=100_000)]
Speed = Annotated[float, msgspec.Meta(ge=0, le=2_000)]
LinkQuality = Annotated[float, msgspec.Meta(ge=-200, le=255)]
"""0 to 255 (Zigbee) or dBm."""
Duration = Annotated[float, msgspec.Meta(ge=0, le=10 * 366 * 86_400)]
"""Seconds or minutes, never endless."""
Masking = Annotated[int, msgspec.Meta(ge=0, le=4)]
"""Supervision class of VKP."""
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Revision = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Reference = Annotated[str, msgspec.Meta(max_length=128)]
"""An opaque reference or a short code."""
Text = Annotated[str, msgspec.Meta(max_length=512)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment with its offset."""
Details = Annotated[dict[Reference, Text | Whole | float | bool], msgspec.Meta(max_length=64)]


class DeviceKind(StrEnum):
    """What a device is for; the four first classes of requirement S3-01, then S3-06 and S3-07."""

    LOCK = "lock"
    GPS_ALARM = "gps_alarm"
    GPS_TRACKER = "gps_tracker"
    DISPENSER = "medication_dispenser"
    CAMERA = "camera"
    SOCIAL_ALARM = "social_alarm"
    DOOR_CONTACT = "door_contact"
    MOTION_SENSOR = "motion_sensor"
    BED_SENSOR = "bed_sensor"
    FALL_DETECTOR = "fall_detector"
    SMOKE_DETECTOR = "smoke_detector"
    LEAK_DETECTOR = "leak_detector"
    ENURESIS_DETECTOR = "enuresis_detector"
    BUTTON = "button"
    GATEWAY = "gateway"
    UNKNOWN = "unknown"


SOS_ROLE = "sos"
"""The enrolment role that makes a plain button's press a call for help."""
SOS_KINDS = frozenset({DeviceKind.SOCIAL_ALARM, DeviceKind.GPS_ALARM})
"""Kinds whose loss leaves a person without a call for help."""


class ClockQuality(StrEnum):
    """How far the device's own time can be believed (`clockquality` on the wire)."""

    SYNCED = "synced"
    UNSYNCED = "unsynced"
    NONE = "none"  # the device gave no time: occurred_at is the time of receipt


class Values(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event may carry beside its type: charge in percent, radio quality, the vendor's own scalars.

    `details` keeps vendor values that help an engineer and say nothing about a person.
    """

    battery_percent: Percent | None = None
    link_quality: LinkQuality | None = None
    details: Details = {}


class Means(StrEnum):
    """By what a lock was operated."""

    PHONE = "phone"
    TAG = "tag"
    CODE = "code"
    KEY = "key"
    INSIDE_KNOB = "inside_knob"
    REMOTE = "remote"
    AUTOMATIC = "automatic"
    UNKNOWN = "unknown"


class LockValues(Values, frozen=True, kw_only=True, omit_defaults=True):
    """By what means, whose opaque credential, for which visit."""

    means: Means = Means.UNKNOWN
    credential: Reference | None = None
    visit: Reference | None = None


class DoorValues(Values, frozen=True, kw_only=True, omit_defaults=True):
    """How long the door has stood open, seconds."""

    open_s: Duration | None = None


class AlarmValues(Values, frozen=True, kw_only=True, omit_defaults=True):
    """A call for help, and where: WGS 84 degrees and metres.

    `presses` are those that this message tells of, since the message before: they add up, so a device
    that counts for itself must not send its running count.
    """

    presses: Count = 1
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    accuracy_m: Accuracy | None = None


class PositionValues(Values, frozen=True, kw_only=True, omit_defaults=True):
    """A fix: WGS 84 degrees, metres, km/h; `source` as the device says it (gnss, wifi, cell, beacon)."""

    latitude: Latitude
    longitude: Longitude
    accuracy_m: Accuracy | None = None
    altitude_m: Altitude | None = None
    speed_kmh: Speed | None = None
    source: Reference | None = None


class GeofenceValues(Values, frozen=True, kw_only=True, omit_defaults=True):
    """Which zone, by the device's own reference, and where it was crossed."""

    geofence: Text | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    accuracy_m: Accuracy | None = None


class MedicationValues(Values, frozen=True, kw_only=True, omit_defaults=True):
    """An opaque dose reference, when it was due, its window in minutes; never a drug or a prescription."""

    dose: Reference | None = None
    due_at: Instant | None = None
    window_min: Duration | None = None
    presses: Count | None = None


class SupervisionOutcome(StrEnum):
    """What the operator saw."""

    SEEN = "seen"
    NOT_VISIBLE = "not_visible"
    ABNORMAL = "abnormal"


class SupervisionValues(Values, frozen=True, kw_only=True, omit_defaults=True):
    """A look: outcome, masking level (VKP supervision class 0 to 4), slot and grant references, seconds."""

    outcome: SupervisionOutcome | None = None
    masking: Masking | None = None
    slot: Reference | None = None
    grant: Reference | None = None
    duration_s: Duration | None = None


class HealthValues(Values, frozen=True, kw_only=True, omit_defaults=True):
    """Device health: free code, link type as data (no closed list, S1-31), firmware, revision, seconds."""

    code: Reference | None = None
    link: Reference | None = None
    firmware: Reference | None = None
    config_revision: Revision | None = None
    connected_since: Instant | None = None
    silent_s: Duration | None = None


class SensorValues(Values, frozen=True, kw_only=True, omit_defaults=True):
    """A passive sensor: location in the home, how long, seconds; which button and how it was pressed."""

    location: Reference | None = None
    duration_s: Duration | None = None
    button: Reference | None = None
    press: Reference | None = None


class VisitValues(Values, frozen=True, kw_only=True, omit_defaults=True):
    """Staff presence: opaque visit and credential references."""

    visit: Reference | None = None
    credential: Reference | None = None


class EventType(msgspec.Struct, frozen=True):
    """One word of the vocabulary.

    `slot` names the state that the event is a level of ("" for a happening); two types of one slot
    exclude each other. `condition` marks a level that is still true when it is heard late, retained
    or first: a retained "offline" is news, a retained "unlocked" is old.
    """

    name: str
    values: type[Values]
    slot: str = ""
    condition: bool = False

    @property
    def wire(self) -> str:
        """The CloudEvents `type` of the word (`vaka.lock.unlocked.v1`)."""
        return f"vaka.{self.name}.v1"


_WORDS: tuple[EventType, ...] = (
    EventType("heartbeat", HealthValues),
    EventType("test", HealthValues),
    EventType("device.online", HealthValues, "link"),
    EventType("device.offline", HealthValues, "link", condition=True),
    EventType("device.fault", HealthValues, "fault", condition=True),
    EventType("device.ok", HealthValues, "fault"),
    EventType("device.discovered", HealthValues),
    EventType("device.tamper", HealthValues, "tamper", condition=True),
    EventType("device.tamper_cleared", HealthValues, "tamper"),
    EventType("device.end_of_life", HealthValues, "life", condition=True),
    EventType("battery.low", HealthValues, "battery", condition=True),
    EventType("battery.critical", HealthValues, "battery", condition=True),
    EventType("battery.ok", HealthValues, "battery"),
    EventType("power.lost", HealthValues, "power", condition=True),
    EventType("power.restored", HealthValues, "power"),
    EventType("link.changed", HealthValues),
    EventType("lock.locked", LockValues, "lock"),
    EventType("lock.unlocked", LockValues, "lock"),
    EventType("lock.unlatched", LockValues, "lock"),
    EventType("lock.jammed", LockValues, "lock", condition=True),
    EventType("lock.not_fully_locked", LockValues, "lock", condition=True),
    EventType("lock.denied", LockValues),
    EventType("door.opened", DoorValues, "door"),
    EventType("door.closed", DoorValues, "door"),
    EventType("door.left_open", DoorValues),
    EventType("visit.started", VisitValues, "visit"),
    EventType("visit.ended", VisitValues, "visit"),
    EventType("alarm.manual", AlarmValues),
    EventType("alarm.cancelled", AlarmValues),
    EventType("fall.detected", AlarmValues),
    EventType("position.update", PositionValues),
    EventType("geofence.exit", GeofenceValues),
    EventType("geofence.enter", GeofenceValues),
    EventType("wear.on", HealthValues, "wear"),
    EventType("wear.off", HealthValues, "wear"),
    EventType("charging.started", HealthValues, "charging"),
    EventType("charging.stopped", HealthValues, "charging"),
    EventType("fix.lost", HealthValues),
    EventType("button.pressed", SensorValues),
    EventType("bed.exit", SensorValues, "bed"),
    EventType("bed.enter", SensorValues, "bed"),
    EventType("motion.detected", SensorValues),
    EventType("presence.detected", SensorValues, "presence"),
    EventType("presence.cleared", SensorValues, "presence"),
    EventType("inactivity", SensorValues),
    EventType("enuresis.detected", SensorValues),
    EventType("intrusion.detected", SensorValues),
    EventType("alarm_system.armed", SensorValues),
    EventType("alarm_system.disarmed", SensorValues),
    EventType("input.active", SensorValues),
    EventType("input.inactive", SensorValues),
    EventType("smoke.detected", SensorValues, "smoke", condition=True),
    EventType("smoke.cleared", SensorValues, "smoke"),
    EventType("leak.detected", SensorValues, "leak", condition=True),
    EventType("leak.cleared", SensorValues, "leak"),
    EventType("medication.reminded", MedicationValues),
    EventType("medication.message_acknowledged", MedicationValues),
    EventType("medication.dispensed", MedicationValues),
    EventType("medication.taken", MedicationValues),
    EventType("medication.missed", MedicationValues),
    EventType("medication.retracted", MedicationValues),
    EventType("medication.early", MedicationValues),
    EventType("medication.overdose_attempt", MedicationValues),
    EventType("medication.low", MedicationValues, "stock", condition=True),
    EventType("medication.empty", MedicationValues, "stock", condition=True),
    EventType("medication.filled", MedicationValues, "stock"),
    EventType("medication.jam", MedicationValues, "mechanism", condition=True),
    EventType("medication.jam_cleared", MedicationValues, "mechanism"),
    EventType("medication.lid_opened", MedicationValues),
    EventType("medication.cartridge_mismatch", MedicationValues, "cartridge", condition=True),
    EventType("supervision.started", SupervisionValues),
    EventType("supervision.ended", SupervisionValues),
    EventType("supervision.declined", SupervisionValues),
    EventType("supervision.performed", SupervisionValues),
    EventType("stream.opened", SupervisionValues, "stream"),
    EventType("stream.closed", SupervisionValues, "stream"),
    EventType("lens.covered", HealthValues, "lens", condition=True),
    EventType("lens.clear", HealthValues, "lens"),
    EventType("camera.moved", HealthValues),
    EventType("privacy.on", HealthValues, "privacy"),
    EventType("privacy.off", HealthValues, "privacy"),
)


VOCABULARY: dict[str, EventType] = {word.name: word for word in _WORDS}
"""Every event type by its dotted name."""

BY_WIRE: dict[str, EventType] = {word.wire: word for word in VOCABULARY.values()}
"""Every event type by its name on the wire."""

BATTERY_LOW_PERCENT = 20
BATTERY_CRITICAL_PERCENT = 10
"""Charge at or under which a battery is low or critical (standards paper, section 1.6)."""


def battery_word(percent: float) -> str:
    """Return the level of the battery slot that a charge means."""
    if percent <= BATTERY_CRITICAL_PERCENT:
        return "battery.critical"
    return "battery.low" if percent <= BATTERY_LOW_PERCENT else "battery.ok"
