"""Protection: whom a lost device leaves without help, and what a technical alert comes from."""

from collections.abc import Iterable

from gateway.model.alert import Alert
from gateway.model.registry import Device, Registry
from gateway.model.vocabulary import SOS_KINDS, SOS_ROLE, DeviceKind

CALLING = SOS_KINDS | {DeviceKind.FALL_DETECTOR}
"""Kinds whose every message may be a call for help, also one that cannot be read."""
PROTECTIVE = CALLING | {DeviceKind.GPS_TRACKER, DeviceKind.DISPENSER}
"""Kinds whose loss leaves a person without a call for help, a dose or being found."""
HARMLESS = frozenset({"late_event", "clock_fault", "rejected_message", "battery_low"})
"""Technical alerts of a device that still does what it is for."""


def unprotected(registry: Registry, alerts: Iterable[Alert]) -> list[str]:
    """Return the opaque references of those whom still lost devices protected, sorted.

    A lost bridge takes the protection of everybody who is reached through it.
    """
    lost = {one.device for one in alerts if one.active and one.device and one.rule not in HARMLESS}
    behind = registry.devices.values() if any(_is_bridge(registry, name) for name in lost) else ()
    lost |= {device.id for device in behind if device.via in lost}
    return sorted({person for name in lost for person in _protected_by(registry, name)})


def may_call(device: Device, role: str) -> bool:
    """Tell whether a message of a device, enrolled in a role, may be a person's call for help."""
    return device.kind in CALLING or role == SOS_ROLE


def cause_of(registry: Registry, alert: Alert) -> str:
    """Return what an alert most likely comes from: its bridge, its vendor's products, or its own rule."""
    device = registry.devices.get(alert.device or "")
    if device is None:
        return f"rule {alert.rule}"
    return f"bridge {device.via}" if device.via else f"adapter {device.adapter}"


def _is_bridge(registry: Registry, name: str | None) -> bool:
    device = registry.devices.get(name or "")
    return device is not None and device.kind is DeviceKind.GATEWAY


def _protected_by(registry: Registry, name: str | None) -> list[str]:
    device = registry.devices.get(name or "")
    enrolment = registry.enrolments.get(name or "")
    if device is None or enrolment is None or not _protects(device, enrolment.role):
        return []
    if enrolment.person is not None:
        return [enrolment.person]
    return [person.ref for person in registry.persons_of(enrolment.home)]


def _protects(device: Device, role: str) -> bool:
    return device.kind in PROTECTIVE or role == SOS_ROLE
