"""Traccar's events and alarms in our vocabulary (traccar/traccar model Event.java and Position.java)."""

EVENTS: dict[str, str] = {
    "geofenceEnter": "geofence.enter",
    "geofenceExit": "geofence.exit",
    "deviceOnline": "device.online",
    "deviceOffline": "device.offline",
    "deviceUnknown": "device.offline",
    "deviceInactive": "device.offline",
    "deviceMoving": "motion.detected",
}
"""Event types that say something of the vocabulary; `alarm` is read by its kind."""

UNUSED = frozenset(
    {
        "allEvents", "commandResult", "queuedCommandSent", "deviceStopped", "deviceOverspeed",
        "deviceFuelDrop", "deviceFuelIncrease", "ignitionOn", "ignitionOff", "deviceIdle", "maintenance",
        "driverChanged", "media", "speedLimit", "textMessage", "proximity",
    }
)  # fmt: skip
"""Event types of vehicles and of the server's own affairs."""

ALARMS: dict[str, str] = {
    "sos": "alarm.manual",
    "general": "alarm.manual",
    "fallDown": "fall.detected",
    "accident": "fall.detected",
    "geofenceEnter": "geofence.enter",
    "geofenceExit": "geofence.exit",
    "geofence": "geofence.exit",
    "lowBattery": "battery.low",
    "lowPower": "battery.low",
    "powerCut": "power.lost",
    "powerRestored": "power.restored",
    "powerOff": "device.offline",
    "powerOn": "device.online",
    "removing": "wear.off",
    "tampering": "device.tamper",
    "fault": "device.fault",
    "jamming": "device.fault",
    "gpsAntennaCut": "device.fault",
    "vibration": "motion.detected",
    "movement": "motion.detected",
    "shock": "motion.detected",
    "door": "door.opened",
    "lock": "lock.locked",
    "unlock": "lock.unlocked",
}
"""Kinds of alarm. A tracker that cannot say more than `general` is read as a call for help, and one
that names a fence without the direction as leaving it: one too many is harmless, one lost is not."""

HELP = frozenset({"alarm.manual", "fall.detected"})
"""Words whose time is when the button was pressed, and not when the satellites were last seen."""
