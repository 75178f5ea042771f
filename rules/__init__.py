"""Rules: the safety rules in plain Python; RULES is what the gateway finds."""

from gateway.contract import Rule
from rules.alarms import Fall, Sos
from rules.locks import DoorAtNight, LockJammed, UnlockedAfterVisit
from rules.medication import DispenserJam, DispenserOffline, DoseMissed
from rules.supervision import AbnormalLook, CameraOffline, LookMissed, NotVisible
from rules.system import ClockFault, DeviceOffline, DeviceSilent, LateEvent
from rules.zones import ZoneExit

RULES: tuple[Rule, ...] = (
    Sos(),
    Fall(),
    AbnormalLook(),
    NotVisible(),
    ZoneExit(),
    DoseMissed(),
    DispenserJam(),
    DispenserOffline(),
    UnlockedAfterVisit(),
    DoorAtNight(),
    LockJammed(),
    LookMissed(),
    CameraOffline(),
    DeviceSilent(),
    DeviceOffline(),
    LateEvent(),
    ClockFault(),
)
"""The first set (alert rules, end of section 5), calls for help first: they are judged first."""
