"""What a device type and a status code mean together, where the published map has no row or several."""

from gateway.model.codes import CODE_MAP, words_for_scaip
from gateway.model.vocabulary import DeviceKind

AUTOMATIC = "0009"
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
    read_as, alarms = CODE_MAP.scaip.read_as, CODE_MAP.scaip.automatic_alarms
    if status == AUTOMATIC or (status in ACTIVATED and device_type in alarms.keys() | TRIGGERS):
        generic = exact if exact and not exact[0].startswith("input.") else []
        return generic[0] if generic else alarms.get(device_type, read_as[AUTOMATIC])
    if exact and status != "0065":
        return exact[0]
    return read_as.get(status, "device.fault" if status == "0065" else "")


def withdrawn(word: str) -> str:
    """Return what the reset of an alarm means."""
    return EPISODES.get(word, "alarm.cancelled")
