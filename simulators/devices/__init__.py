"""The simulated devices, one module a class, written from the standard device interface, version 1."""

from simulators.devices.alarm import FallDetector, SocialAlarm
from simulators.devices.base import Device, Profile
from simulators.devices.camera import Camera
from simulators.devices.dispenser import Dispenser
from simulators.devices.gps import GpsAlarm
from simulators.devices.lock import Lock
from simulators.devices.sensor import BedSensor, DoorContact

MAKERS: dict[str, type[Device]] = {
    "lock": Lock,
    "gps_alarm": GpsAlarm,
    "medication_dispenser": Dispenser,
    "camera": Camera,
    "social_alarm": SocialAlarm,
    "fall_detector": FallDetector,
    "door_contact": DoorContact,
    "bed_sensor": BedSensor,
}
"""Which simulator plays which kind of device."""

__all__ = [
    "MAKERS",
    "BedSensor",
    "Camera",
    "Device",
    "Dispenser",
    "DoorContact",
    "FallDetector",
    "GpsAlarm",
    "Lock",
    "Profile",
    "SocialAlarm",
]
