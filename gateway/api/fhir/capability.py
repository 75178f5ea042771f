"""Capability: what the facade can do, told from the tables that it is served from."""

from datetime import datetime
from importlib.metadata import version

from gateway.fhir.search import PARAMS
from gateway.fhir.terms import BASE, Resource, moment

INCLUDES = "reference"


def capability_statement(url: str, at: datetime) -> Resource:
    """Return the CapabilityStatement of the server at this address."""
    return {
        "resourceType": "CapabilityStatement",
        "url": f"{BASE}/CapabilityStatement/vaka",
        "name": "Vaka",
        "status": "active",
        "date": moment(at),
        "kind": "instance",
        "software": {"name": "Vaka", "version": version("vaka")},
        "implementation": {"description": "What Vaka watched, read only", "url": url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "A bearer token with the scope fhir:read."},
                "resource": [_resource(kind) for kind in PARAMS],
                "operation": [
                    {
                        "name": "export",
                        "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export",
                    }
                ],
            }
        ],
    }


def _resource(kind: str) -> Resource:
    params = PARAMS[kind]
    found: Resource = {
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [{"name": name, "type": param.kind} for name, param in params.items()],
    }
    includes = [f"{kind}:{name}" for name, param in params.items() if param.kind == INCLUDES]
    return found | ({"searchInclude": includes} if includes else {})
