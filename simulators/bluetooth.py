"""A home of the municipality whose devices are heard by Bluetooth, by an edge that passes it on."""

import secrets
from datetime import datetime

import msgspec
from msgspec.structs import replace

from gateway.model.registry import Device, Enrolment, Home, Person
from gateway.model.vocabulary import DeviceKind
from simulators.municipality import DOSE_WINDOWS, Municipality, digest, home_name
from simulators.staff import own, unit_name, unit_of

EDGE = "edge-001"
HEARTBEAT_S = 900
"""How often each device of the home says that it is well."""
EDGE_HEARTBEAT_S = 3600
"""How often the edge does: at the fastest speed of a demo once a second of the wall."""


class Part(msgspec.Struct, frozen=True):
    """One device of the home; those that have no name of their own are known by their address."""

    profile: str
    kind: DeviceKind
    address: str
    name: str = ""
    role: str = ""

    def native_id(self, tenant: str) -> str:
        """Return what the device is called by its adapter."""
        return f"{tenant}/{self.name}" if self.name else self.address

    def id(self, tenant: str) -> str:
        """Return what the device is called in the registry."""
        return f"{tenant}/{self.name or f'{self.profile}-001'}"


LOCK = Part("vaka", DeviceKind.LOCK, "F0:00:00:00:00:01", "ble-lock-001", "entrance_door")
PENDANT = Part("vaka", DeviceKind.SOCIAL_ALARM, "F0:00:00:00:00:02", "ble-pendant-001")
DISPENSER = Part("vaka", DeviceKind.DISPENSER, "F0:00:00:00:00:03", "ble-disp-001")
DOOR = Part("bthome", DeviceKind.DOOR_CONTACT, "F0:00:00:00:00:04", role="balcony_door")
TAG = Part("alerttag", DeviceKind.BUTTON, "F0:00:00:00:00:05", role="sos")
PARTS = (LOCK, PENDANT, DISPENSER, DOOR, TAG)
MODELS = {LOCK: "ML-1", PENDANT: "AP-2", DISPENSER: "MD-4", DOOR: "BTH-1", TAG: "TAG-1"}


def with_bluetooth(made: Municipality, since: datetime) -> Municipality:
    """Return the municipality with one home more, cared for by the unit of the last one."""
    document = made.document
    tenant, number = document.tenant[0].id, len(document.home)
    unit, edge, password = unit_of(number - 1), f"{tenant}/{EDGE}", secrets.token_urlsafe(18)
    home, person = home_name(number), f"person-{number + 1:03d}"
    return Municipality(
        replace(
            document,
            home=(
                *document.home,
                Home(
                    id=home,
                    tenant=tenant,
                    unit=unit_name(unit),
                    care_ladder=own("care", unit),
                    technical_ladder=own("technical", unit),
                ),
            ),
            person=(*document.person, Person(ref=person, home=home, sex="female")),
            device=(
                *document.device,
                _device(tenant, edge, "vaka", edge, DeviceKind.GATEWAY, secret=digest(password)),
                *(_part(tenant, edge, part) for part in PARTS),
            ),
            enrolment=(
                *document.enrolment,
                Enrolment(device=edge, home=home, since=since, heartbeat_s=EDGE_HEARTBEAT_S),
                *(_enrolment(tenant, part, home, person, since) for part in PARTS),
            ),
        ),
        made.passwords | {edge: password},
    )


def _device(  # noqa: PLR0913, PLR0917 - the keys of a device
    tenant: str,
    name: str,
    adapter: str,
    native: str,
    kind: DeviceKind,
    model: str = "simulated edge",
    via: str | None = None,
    secret: str | None = None,
) -> Device:
    return Device(
        id=name,
        tenant=tenant,
        adapter=adapter,
        native_id=native,
        kind=kind,
        model=model,
        via=via,
        secret=secret,
    )


def _part(tenant: str, edge: str, part: Part) -> Device:
    names = (part.id(tenant), part.profile, part.native_id(tenant))
    return _device(tenant, *names, part.kind, MODELS[part], edge)


def _enrolment(tenant: str, part: Part, home: str, person: str, since: datetime) -> Enrolment:
    return Enrolment(
        device=part.id(tenant),
        home=home,
        person=person,
        since=since,
        role=part.role,
        heartbeat_s=HEARTBEAT_S,
        doses=DOSE_WINDOWS if part is DISPENSER else (),
    )
