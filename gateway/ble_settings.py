"""Settings of Bluetooth Low Energy: the adapter, its limits, and which devices may speak through it."""

from collections.abc import Collection, Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from gateway.sections import Section, fault

Address = Annotated[
    str, Field(pattern=r"^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$"), AfterValidator(lambda text: text.upper())
]
"""A Bluetooth address as F0:12:34:56:78:9A."""


class BleDeviceSettings(Section):
    """One device by its address. `device` is who it must be, `{tenant}/{device}` in the standard interface.

    With `rebond` a device that has lost its bond is bonded anew without anybody being asked.
    """

    address: Address
    profile: str = Field(pattern=r"^[a-z0-9_-]{1,32}$")
    device: str = Field("", max_length=256)
    rebond: bool = False


class BleSettings(Section):
    """Bluetooth Low Energy through one adapter of this machine. Every limit has a name and an effect.

    `connection_slots` links are held at once; when more devices wait, each has one for `turn_s`, then gives
    it to the next once nothing is half told. A scan lasts `scan_window_s`, then rests `scan_pause_s`.
    An advertisement of the same bytes is taken once in `repeat_window_s`. Only devices under `device` are
    heard; with `discover` also `max_devices` others that only advertise, and those that would
    want a link are shown, never connected.
    """

    enabled: bool = False
    adapter: str | None = Field(None, pattern=r"^hci\d{1,2}$")
    device: tuple[BleDeviceSettings, ...] = ()
    discover: bool = False
    max_devices: int = Field(200, ge=1, le=10_000)
    connection_slots: int = Field(5, ge=1, le=64)
    turn_s: float = Field(30, ge=1, le=3600)
    connect_timeout_s: float = Field(20, ge=1, le=120)
    operation_timeout_s: float = Field(30, ge=1, le=120)
    pair_timeout_s: float = Field(60, ge=5, le=300)
    reconnect_max_s: float = Field(60, gt=0, le=3600)
    refused_again_s: float = Field(600, ge=1, le=86_400)
    scan_window_s: float = Field(30, ge=1, le=3600)
    scan_pause_s: float = Field(0, ge=0, le=60)
    repeat_window_s: float = Field(5, ge=0, le=60)

    @field_validator("device")
    @classmethod
    def _addresses_differ(cls, devices: tuple[BleDeviceSettings, ...]) -> tuple[BleDeviceSettings, ...]:
        addresses = [device.address for device in devices]
        for address in addresses:
            if addresses.count(address) > 1:
                fault("address", f"{address!r} more than once", "an address of its own for every device")
        return devices


def unknown_profiles(settings: BleSettings, installed: Collection[str]) -> Iterator[str]:
    """Yield a line for each device whose profile is not installed: key, found, allowed."""
    for place, device in enumerate(settings.device):
        if device.profile not in installed:
            allowed = ", ".join(sorted(installed))
            yield f"ble.device.{place}.profile: found {device.profile!r}; allowed: {allowed}"
