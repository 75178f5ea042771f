"""What people enrolled or replaced in the console, kept as small records beside the registry file."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from gateway.model.household import Device, Enrolment
from gateway.model.records import Record
from gateway.model.registry import Registry, RegistryDocument

OWN = "own"
Put = Callable[[str, bytes | None], None]


class Former(Record, frozen=True, kw_only=True):
    """A device that was replaced: what it was called, until when, and who ended it why."""

    adapter: str
    native_id: str
    until: datetime
    actor: str
    reason: str
    frame: int


class Own(Record, frozen=True, kw_only=True):
    """A change made in the console: an enrolled device, or another device in the place of the file's `was`.

    `frame` is the journalled frame that brought it; `former` are the devices before it, the oldest first.
    `lost` says what a later registry file no longer has of that which the enrolment refers to: it is kept,
    and holds again when the file has it again.
    """

    device: Device
    enrolment: Enrolment
    actor: str
    at: datetime
    frame: int
    was: Device | None = None
    former: tuple[Former, ...] = ()
    lost: str = ""


class Joined(NamedTuple):
    """A file's registry with the console's changes; `overruled` and `lost` say why others do not hold."""

    document: RegistryDocument
    overruled: Mapping[str, str] = {}
    lost: Mapping[str, str] = {}


class Owned:
    """The changes made in the console, by device. Changed by the single writer only."""

    def __init__(self, records: Mapping[str, bytes], put: Put) -> None:
        self._put = put
        self.own: dict[str, Own] = {}
        for key, body in records.items():
            self.take(key, body)

    def take(self, key: str, body: bytes | None) -> None:
        """Take up one record as it was kept; None forgets it. Records of others are left alone."""
        kind, _, name = key.partition("\0")
        if kind != OWN:
            return
        if body is None:
            self.own.pop(name, None)
        else:
            self.own[name] = Own.from_json(body)

    def keep(self, name: str, own: Own | None) -> None:
        """Keep a change, or forget it."""
        key, body = f"{OWN}\0{name}", own.to_json() if own else None
        self.take(key, body)
        self._put(key, body)


def joined(document: RegistryDocument, own: Mapping[str, Own]) -> Joined:
    """Join a file's registry with the changes made in the console.

    The file wins: what it names itself is overruled, and what it has no home or person for is lost.
    """
    if not own:
        return Joined(document)
    registry = Registry.of(document)
    overruled = {name: why for name, one in own.items() if (why := _conflict(registry, one))}
    asked = {name: one for name, one in own.items() if name not in overruled}
    lost = {name: why for name, one in asked.items() if one.was is None and (why := _homeless(registry, one))}
    held = {name: one for name, one in asked.items() if name not in lost}
    added = [one for one in held.values() if one.was is None]
    devices = tuple(_in_place(one, held[one.id].device) if one.id in held else one for one in document.device)
    whole = replace(
        document,
        device=(*devices, *(one.device for one in added)),
        enrolment=(*document.enrolment, *(one.enrolment for one in added)),
    )
    return Joined(whole, overruled, lost)


def _in_place(filed: Device, new: Device) -> Device:
    """Return the file's device under the name of the one that took its place."""
    return replace(filed, adapter=new.adapter, native_id=new.native_id, model=new.model)


def _conflict(registry: Registry, own: Own) -> str:
    """Return why a change does not hold beside the file, "" when it does."""
    named = registry.device_named(own.device.adapter, own.device.native_id)
    if named is not None:
        return f"the file itself names {own.device.native_id!r}, as {named.id!r}"
    if own.was is not None:
        return _astray(registry, own, own.was)
    return f"the file itself has a device {own.device.id!r}" if own.device.id in registry.devices else ""


def _astray(registry: Registry, own: Own, was: Device) -> str:
    """Return why a replacement has lost the device whose place it took."""
    filed = registry.devices.get(own.device.id)
    if filed is None or filed.id not in registry.enrolments:
        return "the file no longer enrols the device"
    same = (filed.adapter, filed.native_id) == (was.adapter, was.native_id)
    return "" if same else f"the file names another device here: {filed.native_id!r}"


def _homeless(registry: Registry, own: Own) -> str:
    """Return why an enrolment has lost what it refers to."""
    device, enrolment = own.device, own.enrolment
    home = registry.homes.get(enrolment.home)
    person = registry.persons.get(enrolment.person) if enrolment.person else None
    if home is None or home.tenant != device.tenant:
        return f"the file no longer has the home {enrolment.home!r}"
    if enrolment.person and (person is None or person.home != enrolment.home):
        return f"the person {enrolment.person!r} no longer lives in {enrolment.home!r}"
    if device.via is not None and device.via not in registry.devices:
        return f"the file no longer has the bridge {device.via!r}"
    return ""
