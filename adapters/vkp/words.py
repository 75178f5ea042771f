"""The Norwegian code systems as words: dispense events of two generations, alert codes, texts of flags."""

DISPENSED, MISSED, JAM, FAULT = "medication.dispensed", "medication.missed", "medication.jam", "device.fault"

EVENTS_V06: dict[str, str] = {
    "0": "test", "1": DISPENSED, "2": MISSED, "3": MISSED, "4": FAULT, "5": JAM, "6": MISSED, "7": MISSED,
    "8": FAULT, "9": "power.lost", "10": "device.offline", "11": "medication.lid_opened",
    "12": "device.tamper",
    "13": JAM, "14": JAM, "15": "medication.low", "16": JAM, "17": "battery.critical", "18": DISPENSED,
    "19": "medication.message_acknowledged", "20": DISPENSED, "21": "medication.filled", "22": "",
    "23": "medication.missed", "24": "medication.reminded", "25": "medication.low",
    "26": "medication.cartridge_mismatch", "27": "battery.low",
}  # fmt: skip
"""vkp-medicationdispense-events v05 and v06: a code 2 says that nothing was handed out,
    whatever the status."""
EVENTS_V090: dict[str, str] = {
    "1": DISPENSED, "1.1": DISPENSED, "1.2": DISPENSED, "1.3": DISPENSED,
    "2": DISPENSED, "2.1": DISPENSED, "2.2": DISPENSED, "3": "medication.message_acknowledged",
}  # fmt: skip
"""vkp-medicationdispense-events v090: only what succeeded, so its code 2 is a dose for the journey."""

ALERTS: dict[str, str] = {
    "1.1": MISSED, "1.2": MISSED, "1.3": MISSED, "1.4": MISSED, "1.5": FAULT, "1.6": JAM, "1.7": JAM,
    "1.8": JAM,
    "1.9": JAM, "1.10": "medication.reminded", "1.11": "medication.low", "1.12": "medication.low",
    "1.13": "medication.empty", "1.14": FAULT, "1.15": "", "1.16": "medication.filled", "1.17": "battery.low",
    "1.18": "battery.critical", "1.19": "power.lost", "1.20": "device.offline",
    "1.21": "medication.lid_opened",
    "1.22": "device.tamper", "1.23": "medication.cartridge_mismatch",
    "2": "geofence.exit", "3": "alarm.manual",
    "4.1": "fall.detected", "4.2": "bed.exit", "4.3": "bed.exit", "4.4": "bed.exit",
    "4.5": "presence.detected", "4.6": "presence.cleared", "4.7": "inactivity", "4.8": "motion.detected",
    "4.9": "inactivity", "4.10": "motion.detected", "4.11": "smoke.detected", "4.12": "inactivity",
    "4.13": "alarm.manual", "4.14": "alarm.manual", "4.15": "door.opened", "4.16": "door.closed",
    "4.17": "leak.detected", "4.18": "motion.detected", "4.19": "inactivity", "4.20": "bed.enter",
    "4.21": "geofence.exit", "4.22": "alarm.manual", "4.23": "inactivity", "4.24": "alarm.manual",
    "4.25": "supervision.performed", "4.26": "supervision.performed",
    "7": "alarm.manual", "7.1": "enuresis.detected",
}  # fmt: skip
"""vkp-alert-code v090; "" is known and says nothing of the vocabulary. Epilepsy, a failed call and a nurse
call have no word of their own: a person must be called."""
SILENT_GROUPS = ("1", "4", "5", "6")
"""Codes of a whole group, and of home monitoring: known, and too vague for a word."""

TEXTS: tuple[tuple[str, str], ...] = (
    ("utenfor", "geofence.exit"),
    ("forlatt sone", "geofence.exit"),
    ("outside", "geofence.exit"),
    ("innenfor", "geofence.enter"),
    ("tilbake i", "geofence.enter"),
    ("inside", "geofence.enter"),
    ("fall", "fall.detected"),
    ("ikke utlevert", MISSED),
    ("trygghetsalarm", "alarm.manual"),
    ("knappetrykk", "alarm.manual"),
    ("lavt batteri", "battery.low"),
    ("batteri lavt", "battery.low"),
)
"""What a flag without a code says in words, the first that stands in it."""


def dispense_word(system: str, code: str) -> str | None:
    """Return the word of a dispense event, None for an unknown code; the version stands in the system."""
    table = EVENTS_V06 if system.endswith(("-v05", "-v06")) else EVENTS_V090
    return table.get(code, None if table is EVENTS_V06 else EVENTS_V06.get(code) if "." not in code else None)


def alert_word(code: str) -> str | None:
    """Return the word of an alert code, None for an unknown one."""
    return "" if code in SILENT_GROUPS or code.startswith("5.") else ALERTS.get(code)


def text_word(text: str) -> str | None:
    """Return the word of a flag's text, None for one that is not known."""
    lower = text.lower()
    return next((word for words, word in TEXTS if words in lower), None)
