"""Bundles: what is told about resources: searchsets, outcomes, and what the server can do."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.fhir.kinds import ID, KINDS, TOKEN, Kind
from gateway.fhir.terms import BASE, Resource, moment

TYPES = {ID: TOKEN}
SUBSCRIPTION: Resource = {
    "type": "Subscription",
    "interaction": [{"code": "create"}, {"code": "read"}, {"code": "search-type"}, {"code": "delete"}],
    "versioning": "no-version",
    "readHistory": False,
    "documentation": "rest-hook alone, without heartbeats; one's own, with the right fhir:subscribe. "
    "A Communication is searched, not subscribed.",
    "operation": [
        {
            "name": "status",
            "definition": "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status",
        }
    ],
}
"""What the module of subscriptions serves, which is no search of the log."""


def searchset(
    base: str,
    found: Sequence[Resource],
    included: Sequence[Resource],
    links: Iterable[tuple[str, str]],
    at: datetime,
) -> Resource:
    """Return a page of a search. It has no total: to count the log would mean to read all of it."""
    entries = [_entry(base, one, "match") for one in found] + [
        _entry(base, one, "include") for one in included
    ]
    bundle: Resource = {
        "resourceType": "Bundle",
        "type": "searchset",
        "meta": {"lastUpdated": moment(at)},
        "link": [{"relation": relation, "url": url} for relation, url in links],
    }
    return bundle | ({"entry": entries} if entries else {})


def outcome(code: str, said: str, *, severity: str = "error") -> Resource:
    """Return an OperationOutcome with one issue; `code` is of FHIR's issue-type."""
    issue = {"severity": severity, "code": code, "diagnostics": said}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def capability(base: str, version: str, at: datetime) -> Resource:
    """Return what is served, made of the table that serves it."""
    operations = [
        {"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"},
    ]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": moment(at),
        "kind": "instance",
        "url": f"{BASE}/CapabilityStatement/vaka",
        "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
        "software": {"name": "Vaka", "version": version},
        "implementation": {"description": "Vaka, the read side of the watch", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "Authorization: Bearer, an API token with the right fhir:read"},
                "resource": [*(_served(kind) for kind in KINDS.values()), SUBSCRIPTION],
                "operation": operations,
            }
        ],
    }


def _served(kind: Kind) -> Resource:
    params = [{"name": name, "type": type_} for name, type_ in {**TYPES, **kind.params}.items()]
    found: Resource = {
        "type": kind.name,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "readHistory": False,
        "searchParam": params,
    }
    if kind.note:
        found["documentation"] = kind.note
    if kind.includes:
        found["searchInclude"] = [f"{kind.name}:{name}" for name in kind.includes]
    if kind.name == "Group":
        found["operation"] = [
            {
                "name": "export",
                "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export",
            }
        ]
    return found


def _entry(base: str, one: Resource, mode: str) -> Resource:
    url = f"{base}/{one['resourceType']}/{one['id']}"
    return {"fullUrl": url, "resource": one, "search": {"mode": mode}}
