"""What a device type and a status code mean together, where the published map has no row or several."""

from gateway.model.codes import words_for_scaip
from gateway.model.vocabulary import DeviceKind

AUTOMATIC = "0009"
AUTOMATIC_ALARMS: dict[str, str] = {
    "0005": "fall.detected", "0030": "fall.detected",
    "0010": "inactivity",
    "0011": "medication.missed",
    "0012": "bed.exit", "0013": "bed.exit", "0044": "bed.exit",
    "0014": "door.opened", "0043": "lock.denied",
    "0015": "geofence.exit", "0029": "geofence.exit",
    "0016": "enuresis.detected",
    "0018": "presence.detected",
    "0021": "smoke.detected", "0023": "smoke.detected", "0025": "smoke.detected", "0026": "smoke.detected",
    "0037": "smoke.detected", "0047": "smoke.detected",
    "0028": "intrusion.detected", "0036": "intrusion.detected", "0027": "intrusion.detected",
    "0031": "device.fault", "0032": "device.fault", "0039": "device.fault", "0040": "device.fault",
    "0046": "alarm.manual", "0050": "device.fault",
    "0033": "leak.detected", "0034": "leak.detected",
    "0038": "device.tamper", "0041": "power.lost",
}  # fmt: skip
"""An automatic alarm (status 0009) by device type; a type that is not here calls for help."""

STATUSES: dict[str, str] = {
    "0010": "alarm.manual", "0011": "alarm.manual", "0110": "alarm.manual",
    "0002": "alarm.cancelled",
    "0020": "battery.ok",
    "0022": "device.fault",
    "0031": "device.offline", "0091": "device.online", "0094": "device.ok",
    **{f"{code:04}": "device.fault" for code in range(32, 41)},
    "0043": "device.fault", "0044": "device.fault", "0045": "device.fault", "0051": "device.fault",
    "0063": "device.fault", "0066": "device.end_of_life", "0068": "device.fault", "0078": "device.fault",
    "0048": "device.ok",
    "0087": "visit.started",
    "0095": "device.fault", "0122": "device.fault", "0104": "device.fault", "0105": "device.fault",
    "0100": "device.fault", "0101": "device.fault", "0126": "device.fault", "0046": "device.fault",
    "0107": "intrusion.detected", "0106": "intrusion.detected",
    "0117": "bed.enter", "0119": "motion.detected", "0120": "presence.detected", "0121": "presence.detected",
    "0118": "lock.locked", "0127": "lock.unlocked", "0052": "lock.jammed", "0029": "lock.denied",
    "0076": "door.opened", "0077": "door.left_open", "0021": "door.closed",
    "0081": "medication.missed", "0082": "medication.reminded", "0083": "medication.taken",
    "0089": "privacy.on",
}  # fmt: skip
"""A status that means the same with any device type."""

ACTIVATED = frozenset({"0006", "0007", "0046", "0074", "0090"})
"""Statuses by which senders of some makes say what others call an automatic alarm."""
TRIGGERS = frozenset({"0003", "0004", "0006", "0007"})
"""Device types that exist to be pressed: whatever is activated on them is a call for help."""
EPISODES: dict[str, str] = {
    "smoke.detected": "smoke.cleared",
    "leak.detected": "leak.cleared",
    "device.tamper": "device.tamper_cleared",
    "device.fault": "device.ok",
    "device.offline": "device.online",
    "power.lost": "power.restored",
    "battery.low": "battery.ok",
    "battery.critical": "battery.ok",
    "presence.detected": "presence.cleared",
}
"""What a reset of one of these levels means; a reset of anything else withdraws the alarm."""
UNCOUNTED = frozenset({"charging.started", "charging.stopped", "device.discovered", "link.changed"})
"""Words of the map whose code is a generic one: not to be read from it."""

KINDS: dict[str, DeviceKind] = {
    "0005": DeviceKind.FALL_DETECTOR, "0011": DeviceKind.DISPENSER, "0012": DeviceKind.BED_SENSOR,
    "0013": DeviceKind.BED_SENSOR, "0014": DeviceKind.DOOR_CONTACT, "0010": DeviceKind.MOTION_SENSOR,
    "0018": DeviceKind.MOTION_SENSOR, "0016": DeviceKind.ENURESIS_DETECTOR, "0023": DeviceKind.SMOKE_DETECTOR,
    "0033": DeviceKind.LEAK_DETECTOR, "0043": DeviceKind.LOCK, "0051": DeviceKind.GPS_ALARM,
}  # fmt: skip


def kind_of(device_type: str) -> DeviceKind:
    """Return what reports; the controller and its triggers are the social alarm."""
    return KINDS.get(device_type, DeviceKind.SOCIAL_ALARM)


def word_for(device_type: str, status: str, location: str) -> str:
    """Return the word, "" when the two codes mean nothing together."""
    exact = [word for word in words_for_scaip(device_type, status, location) if word not in UNCOUNTED]
    if status == AUTOMATIC or (status in ACTIVATED and device_type in AUTOMATIC_ALARMS.keys() | TRIGGERS):
        generic = exact if exact and not exact[0].startswith("input.") else []
        return generic[0] if generic else AUTOMATIC_ALARMS.get(device_type, "alarm.manual")
    if exact and status != "0065":
        return exact[0]
    return STATUSES.get(status, "device.fault" if status == "0065" else "")


def withdrawn(word: str) -> str:
    """Return what the reset of an alarm means."""
    return EPISODES.get(word, "alarm.cancelled")
