"""Plain: the rules in Python, for what the language of rules does not say, and for what nobody may edit."""

from gateway.contract import Rule
from rules.alarms import Fall, Sos
from rules.arrivals import LockOffline, NoContact
from rules.locks import DoorAtNight, UnlockedAfterVisit
from rules.medication import DispenserJam, DispenserOffline, DoseMissed
from rules.supervision import AbnormalLook, CameraOffline, LookMissed, NotVisible
from rules.system import ClockFault, DeviceOffline, DeviceSilent, LateEvent
from rules.zones import ZoneExit

PLAIN: tuple[Rule, ...] = (
    Sos(),
    Fall(),
    AbnormalLook(),
    NotVisible(),
    ZoneExit(),
    NoContact(),
    DoseMissed(),
    DispenserJam(),
    DispenserOffline(),
    UnlockedAfterVisit(),
    DoorAtNight(),
    LockOffline(),
    LookMissed(),
    CameraOffline(),
    DeviceSilent(),
    DeviceOffline(),
    LateEvent(),
    ClockFault(),
)
"""The first set (alert rules, end of section 5), calls for help first: they are judged first."""
