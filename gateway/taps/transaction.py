"""Transaction: resources as entries of a FHIR R4 transaction that can be sent again, and the answers to it.

Each entry names its resource by an identifier of ours (FHIR R4, RESTful API: conditional update, conditional
create), so no server needs to take our ids, and a bundle that comes twice leaves one resource.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import httpx

from gateway.contract import TapFault
from gateway.fhir.names import name_of
from gateway.fhir.terms import (
    ALERT_ID,
    BASE,
    DELIVERY_ID,
    DEVICE_ID,
    EVENT_ID,
    HOME_ID,
    PERSON_REF,
    TENANT_ID,
    Resource,
)
from gateway.taps.calls import Caller

FHIR = "application/fhir+json"
TAGGED = f"{BASE}/identifier/resource"
"""Tag of what has no identifier in R4 (AuditEvent, Provenance): its logical id with us."""
OTHERS = frozenset({"Patient", "Location", "Organization"})
"""What another system may know more of than we do: created where it is missing, never overwritten."""
FACTS = frozenset({"AuditEvent", "Provenance"})
"""What never changes: created once."""
KNOWN_BY = {
    "Patient": PERSON_REF,
    "Device": DEVICE_ID,
    "Location": HOME_ID,
    "Organization": TENANT_ID,
    "Observation": EVENT_ID,
    "DetectedIssue": ALERT_ID,
    "Task": ALERT_ID,
    "Communication": DELIVERY_ID,
}
OWN_META = ("versionId", "lastUpdated")
"""What the receiving server writes itself."""
DISTURBED = ("5", "429", "408")
"""Beginnings of what is said to an entry where its server is at fault, or too busy: all of it waits."""
CONFLICT = ("HTTP 409", "entry: 409")
"""How a server tells that another writer was at the same resource (FHIR R4, http.html: 409 Conflict)."""
CONFLICT_AGAIN_S = (0.2, 1.0)
"""Pauses before a transaction in conflict is sent again; after them it is refused."""
MAX_SAID = 160


def entries_of(resources: Iterable[Resource]) -> list[Resource]:
    """Return entries for resources of ours; references lead to one another, all others are by identifier."""
    told = {f"{one['resourceType']}/{one['id']}": one for one in resources}
    names = {name: uuid5(NAMESPACE_URL, f"{BASE}/{name}").urn for name in told}
    return [_entry(names[name], one, names) for name, one in told.items()]


def updated(resource: Resource, system: str, value: str) -> Resource:
    """Return the entry that creates or replaces the one resource with this identifier."""
    url = f"{resource['resourceType']}?{_asked('identifier', system, value)}"
    return {"resource": resource, "request": {"method": "PUT", "url": url}}


def created(resource: Resource, system: str, value: str) -> Resource:
    """Return the entry that creates a resource where none has this identifier, and else changes nothing."""
    asked = _asked("identifier", system, value)
    return {
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"], "ifNoneExist": asked},
    }


def bundle_of(entries: Sequence[Resource]) -> bytes:
    """Return the transaction as JSON."""
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}
    return json.dumps(bundle, ensure_ascii=False, separators=(",", ":")).encode()


class Answer:
    """What a server said to a transaction: one line of proof for each entry, or why it refused all of it."""

    def __init__(self, proofs: Sequence[str] = (), refused: str = "") -> None:
        self.proofs, self.refused = proofs, refused


async def transact(calls: Caller, body: bytes, entries: int | None) -> Answer:
    """Send a transaction of so many entries, None for one that was kept as it is; again where it conflicts.

    TapFault when there is no answer, or one that blames nothing that was sent.
    """
    for pause_s in CONFLICT_AGAIN_S:
        answer = await _once(calls, body, entries)
        if not answer.refused.startswith(CONFLICT):
            return answer
        await asyncio.sleep(pause_s)
    return await _once(calls, body, entries)


async def _once(calls: Caller, body: bytes, entries: int | None) -> Answer:
    answer = await calls.send("POST", "", body=body, headers={"content-type": FHIR})
    if not answer.is_success:
        return Answer(refused=why(answer))
    told = _read(answer)
    responses = _responses(told)
    if responses is None or entries not in (None, len(responses)):
        raise TapFault("its answer is no transaction-response")
    bad = next((one for one in responses if not str(one.get("status", "")).startswith("2")), None)
    if bad is not None:
        status = str(bad.get("status", ""))
        if status.startswith(DISTURBED):
            raise TapFault(f"entry: {status[:3]}")
        return Answer(
            refused=f"entry: {bad.get('status', 'no status')} {_issues(bad.get('outcome', {}))}".strip()
        )
    return Answer(proofs=[_proof(one) for one in responses])


def why(answer: httpx.Response) -> str:
    """Return a refusal as its OperationOutcome tells it, beginning with the status."""
    try:
        told = _issues(answer.json())
    except ValueError:
        told = ""
    return f"HTTP {answer.status_code} {told}".strip()


def _issues(outcome: Any) -> str:
    issues = outcome.get("issue", []) if isinstance(outcome, dict) else []
    texts = [_said(one) for one in issues if isinstance(one, dict)] if isinstance(issues, list) else []
    return " ".join("; ".join(texts).split())[:MAX_SAID]


def _said(issue: Mapping[str, Any]) -> str:
    details = issue.get("details")
    text = details.get("text") if isinstance(details, dict) else None
    return str(issue.get("diagnostics") or text or issue.get("code", ""))


def _responses(told: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return what was said to each entry, None where that is no transaction-response."""
    entries = told.get("entry", [])
    if told.get("type") != "transaction-response" or not isinstance(entries, list):
        return None
    found = [one.get("response") if isinstance(one, dict) else None for one in entries]
    said = [one for one in found if isinstance(one, dict)]
    return said if len(said) == len(found) else None


def _read(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError as error:
        raise TapFault("its answer is no JSON") from error
    return told if isinstance(told, dict) else {}


def _proof(response: Mapping[str, Any]) -> str:
    parts = (str(response.get("status", ""))[:3], response.get("location", ""), response.get("etag", ""))
    return " ".join(str(one) for one in parts if one)


def _entry(urn: str, resource: Resource, names: Mapping[str, str]) -> Resource:
    kind, name = resource["resourceType"], resource["id"]
    plain = {key: _linked(value, names) for key, value in resource.items() if key != "id"}
    meta = {key: value for key, value in resource.get("meta", {}).items() if key not in OWN_META}
    identifiers = resource.get("identifier", [])
    known = identifiers if isinstance(identifiers, dict) else next(iter(identifiers), None)
    if known is None:
        meta["tag"] = [*meta.get("tag", []), {"system": TAGGED, "code": name}]
        asked = _asked("_tag", TAGGED, name)
    else:
        asked = _asked("identifier", known.get("system", ""), known["value"])
    plain.pop("meta", None)
    found = plain | ({"meta": meta} if meta else {})
    if kind in OTHERS or kind in FACTS:
        request = {"method": "POST", "url": kind, "ifNoneExist": asked}
    else:
        request = {"method": "PUT", "url": f"{kind}?{asked}"}
    return {"fullUrl": urn, "resource": found, "request": request}


def _asked(by: str, system: str, value: str) -> str:
    return f"{by}={quote(f'{system}|{value}', safe='')}"


def _linked(value: Any, names: Mapping[str, str]) -> Any:
    """Return a value whose references are those of the bundle, or by an identifier of ours."""
    if isinstance(value, list):
        return [_linked(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    meant = value.get("reference")
    if isinstance(meant, str):
        if meant in names:
            return value | {"reference": names[meant]}
        kind, _, name = meant.partition("/")
        system = KNOWN_BY.get(kind, f"{BASE}/identifier/{kind.lower()}")
        rest = {key: one for key, one in value.items() if key != "reference"}
        return rest | {"type": kind, "identifier": {"system": system, "value": name_of(name) or name}}
    return {key: _linked(one, names) for key, one in value.items()}
