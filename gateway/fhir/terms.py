"""Terms: the systems that our codes and identifiers are of, and the small shapes all resources have."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.model.alert import AlertType, Severity
from gateway.model.codes import CODE_MAP, codes_for

Resource = dict[str, Any]
"""One resource as JSON has it."""

BASE = "https://vaka.example.org/fhir"
"""Our own canonical addresses: an installation may serve them, nobody needs to."""
WORD = f"{BASE}/CodeSystem/event-type"
KIND = f"{BASE}/CodeSystem/device-kind"
RULE = f"{BASE}/CodeSystem/alert-rule"
ACTION = f"{BASE}/CodeSystem/alert-action"
STATE = f"{BASE}/CodeSystem/alert-state"
OUTCOME = f"{BASE}/CodeSystem/alert-outcome"
FIELD = f"{BASE}/CodeSystem/event-value"
ACM = f"{BASE}/CodeSystem/ihe-acm"
DEVICE_ID = f"{BASE}/identifier/device"
NATIVE_ID = f"{BASE}/identifier/native-device"
PERSON_REF = f"{BASE}/identifier/person"
HOME_ID = f"{BASE}/identifier/home"
EVENT_ID = f"{BASE}/identifier/event"
ALERT_ID = f"{BASE}/identifier/alert"
DELIVERY_ID = f"{BASE}/identifier/delivery"
ENTRY_ID = f"{BASE}/identifier/alert-entry"
STAFF_REF = f"{BASE}/identifier/staff"
TENANT_ID = f"{BASE}/identifier/tenant"

MDC = "urn:iso:std:iso:11073:10101"
SCAIP_STATUS = f"{BASE}/CodeSystem/scaip-status"
VKP_ALERT = "http://ehelse.no/fhir/CodeSystem/vkp-alert-code-v090"
VKP_DISPENSE = "http://ehelse.no/fhir/CodeSystem/vkp-medicationdispense-events-v06"
VKP_SUPERVISION = f"{BASE}/CodeSystem/vkp-supervision-class"
UCUM = "http://unitsofmeasure.org"
AUDIT_TYPE = "http://dicom.nema.org/resources/ontology/DCM"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"

PERSONNUMMER = "http://electronichealth.se/identifier/personnummer"
SAMORDNINGSNUMMER = "http://electronichealth.se/identifier/samordningsnummer"
HSA_ID = "urn:oid:1.2.752.29.4.19"
"""Swedish base profile identifiers (HL7 Sweden, basprofiler-r4). Vaka holds none of these: a receiver that
knows who a pseudonym is puts them on its own side."""

SEVERITY = {"high": "high", "medium": "moderate", "low": "low", "info": "low"}
"""DetectedIssue.severity of ours; the exact class stands beside it as the IHE ACM priority."""
VKP_SEVERITY = {"high": "40", "medium": "20", "low": "10", "info": "0"}


def due(at: datetime) -> list[Resource]:
    """Return when a dose was to be taken, as instructed: a time of preparing it is nobody's to claim."""
    return [{"timing": {"event": [moment(at)]}}]


def moment(at: datetime) -> str:
    """Return an instant, in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def coding(system: str, code: str, display: str = "") -> Resource:
    """Return a Coding."""
    found = {"system": system, "code": code}
    return found | {"display": display} if display else found


def concept(*codings: Resource, text: str = "") -> Resource:
    """Return a CodeableConcept."""
    found: Resource = {"coding": list(codings)} if codings else {}
    return found | {"text": text} if text else found


def identifier(system: str, value: str) -> Resource:
    """Return an Identifier."""
    return {"system": system, "value": value}


def reference(kind: str, logical_id: str) -> Resource:
    """Return a Reference to a resource of this server."""
    return {"reference": f"{kind}/{logical_id}", "type": kind}


def meta(
    updated: datetime, *, version: int | None = None, profile: str = "", tags: Iterable[Resource] = ()
) -> Resource:
    """Return the meta of a resource; `updated` is when the gateway had what it tells."""
    found: Resource = {"lastUpdated": moment(updated)}
    if version is not None:
        found["versionId"] = str(version)
    if profile:
        found["profile"] = [profile]
    if labels := list(tags):
        found["tag"] = labels
    return found


def word_codings(word: str) -> list[Resource]:
    """Return a word of the vocabulary in our code and in those of MDC and VKP."""
    codes = codes_for(word)
    found = [coding(WORD, word)]
    found += [coding(MDC, str(CODE_MAP.mdc[name].code), CODE_MAP.mdc[name].text) for name in codes.mdc]
    found += [coding(VKP_ALERT, code, CODE_MAP.vkp.alerts.get(code, "")) for code in codes.vkp_alerts]
    return found


def acm_codings(severity: Severity, kind: AlertType) -> list[Resource]:
    """Return priority and type of IHE ACM, by which an R6 DeviceAlert can be made of it."""
    return [coding(ACM, severity.acm), coding(ACM, kind.value)]


def without_none(found: Mapping[str, Any]) -> Resource:
    """Leave out what is None, an empty list or an empty text, which FHIR does not allow."""
    return {key: value for key, value in found.items() if value is not None and value not in ("", [], {})}
