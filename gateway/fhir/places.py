"""Places, people and things: the registry as Organization, Location, Patient, Device, DeviceUseStatement."""

from datetime import UTC, datetime

from gateway.fhir.names import logical_id
from gateway.fhir.terms import (
    BASE,
    DEVICE_ID,
    HOME_ID,
    KIND,
    NATIVE_ID,
    PERSON_REF,
    TENANT_ID,
    Resource,
    coding,
    concept,
    identifier,
    meta,
    moment,
    reference,
    without_none,
)
from gateway.model.household import Device, Enrolment, Home, Person
from gateway.model.organisation import Tenant
from gateway.model.registry import Registry
from gateway.model.status import DeviceStatus
from gateway.model.vocabulary import DeviceKind

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
"""When what has no time of its own was last updated: the registry keeps none for homes and people."""
PSEUDONYM = concept(
    coding("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "PSEUDED", "pseudonymized")
)
SEX = {"": "unknown", "female": "female", "male": "male"}


def organization(tenant: Tenant) -> Resource:
    """Return a municipality."""
    return {
        "resourceType": "Organization",
        "id": logical_id(tenant.id),
        "meta": meta(SINCE),
        "identifier": [identifier(TENANT_ID, tenant.id)],
        "active": True,
        "name": tenant.name,
    }


def location(home: Home) -> Resource:
    """Return a home, without an address: where it is, the municipality knows."""
    return {
        "resourceType": "Location",
        "id": logical_id(home.id),
        "meta": meta(SINCE),
        "identifier": [identifier(HOME_ID, home.id)],
        "status": "active",
        "mode": "instance",
        "managingOrganization": reference("Organization", logical_id(home.tenant)),
    }


def patient(person: Person, registry: Registry) -> Resource:
    """Return a resident by the opaque reference: no name, no number, no address."""
    home = registry.homes[person.home]
    security = [PSEUDONYM["coding"][0]]
    return {
        "resourceType": "Patient",
        "id": logical_id(person.ref),
        "meta": meta(SINCE) | {"security": security},
        "identifier": [identifier(PERSON_REF, person.ref)],
        "active": True,
        "gender": SEX[person.sex],
        "managingOrganization": reference("Organization", logical_id(home.tenant)),
    }


def device(one: Device, registry: Registry, status: DeviceStatus | None) -> Resource:
    """Return a device, with what it last said of itself."""
    enrolment = registry.enrolments.get(one.id)
    seen = status.last_seen_at if status is not None else None
    return without_none(
        {
            "resourceType": "Device",
            "id": logical_id(one.id),
            "meta": meta(seen or (enrolment.since if enrolment else SINCE)),
            "identifier": [
                identifier(DEVICE_ID, one.id),
                identifier(f"{NATIVE_ID}/{one.adapter}", one.native_id),
            ],
            "status": "active" if enrolment is not None else "inactive",
            "modelNumber": one.model,
            "type": concept(coding(KIND, one.kind.value)),
            "version": [{"value": status.firmware}] if status is not None and status.firmware else None,
            "owner": reference("Organization", logical_id(one.tenant)),
            "location": reference("Location", logical_id(enrolment.home)) if enrolment else None,
            "patient": reference("Patient", logical_id(enrolment.person))
            if enrolment and enrolment.person
            else None,
            "parent": reference("Device", logical_id(one.via)) if one.via else None,
        }
    )


def device_use(enrolment: Enrolment) -> Resource | None:
    """Return for whom a device watches; None where it watches over nobody."""
    if enrolment.person is None:
        return None
    since = moment(enrolment.since)
    return {
        "resourceType": "DeviceUseStatement",
        "id": logical_id(enrolment.device),
        "meta": meta(enrolment.since),
        "status": "active",
        "subject": reference("Patient", logical_id(enrolment.person)),
        "timingPeriod": {"start": since},
        "recordedOn": since,
        "device": reference("Device", logical_id(enrolment.device)),
    }


def consent(enrolment: Enrolment, kind: DeviceKind, registry: Registry) -> Resource | None:
    """Return that a person is looked at by camera; None for what is no camera.

    It says what the registry says: the paper that somebody signed is the municipality's.
    """
    if kind is not DeviceKind.CAMERA or enrolment.person is None:
        return None
    home = registry.homes[enrolment.home]
    return {
        "resourceType": "Consent",
        "id": logical_id(enrolment.device),
        "meta": meta(enrolment.since),
        "status": "active",
        "scope": concept(coding("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")),
        "category": [concept(coding("http://loinc.org", "59284-0", "Consent Document"))],
        "patient": reference("Patient", logical_id(enrolment.person)),
        "dateTime": moment(enrolment.since),
        "organization": [reference("Organization", logical_id(home.tenant))],
        "policy": [{"uri": f"{BASE}/policy/digital-supervision"}],
        "provision": {
            "type": "permit",
            "period": {"start": moment(enrolment.since)},
            "data": [{"meaning": "instance", "reference": reference("Device", logical_id(enrolment.device))}],
        },
    }
