"""Pilots: which devices are tried, as Group, so that one pilot can be exported alone."""

from gateway.fhir.names import logical_id
from gateway.fhir.places import SINCE
from gateway.fhir.terms import BASE, Resource, identifier, meta, reference, without_none
from gateway.model.pilot import Pilot
from gateway.model.registry import Registry

PILOT_ID = f"{BASE}/identifier/pilot"


def devices_of(pilot: Pilot, registry: Registry) -> frozenset[str]:
    """Return the devices of a pilot: those named and those in its homes, narrowed to its products."""
    named = bool(pilot.homes or pilot.devices)
    found = set()
    for device in registry.devices.values():
        if device.tenant != pilot.tenant or (pilot.products and device.model not in pilot.products):
            continue
        enrolment = registry.enrolments.get(device.id)
        home = enrolment.home if enrolment else ""
        if not named or device.id in pilot.devices or home in pilot.homes:
            found.add(device.id)
    return frozenset(found)


def group(pilot: Pilot, registry: Registry) -> Resource:
    """Return a pilot with its devices."""
    devices = sorted(devices_of(pilot, registry))
    return without_none(
        {
            "resourceType": "Group",
            "id": logical_id(pilot.id),
            "meta": meta(SINCE),
            "identifier": [identifier(PILOT_ID, pilot.id)],
            "type": "device",
            "actual": True,
            "name": pilot.name,
            "quantity": len(devices),
            "managingEntity": reference("Organization", logical_id(pilot.tenant)),
            "member": [{"entity": reference("Device", logical_id(one))} for one in devices],
        }
    )
