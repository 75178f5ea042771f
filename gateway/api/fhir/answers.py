"""Answers: resources as FHIR says them over HTTP, and every fault as an OperationOutcome."""

from typing import Any

import msgspec
from fastapi.responses import Response

from gateway.api.errors import ApiError
from gateway.fhir.terms import Resource

JSON = "application/fhir+json"
PATH = "/fhir"
ISSUE = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    410: "deleted",
    422: "invalid",
    429: "throttled",
    503: "transient",
}
"""Issue types of HL7 FHIR R4 by HTTP status."""


class FhirResponse(Response):
    """A resource as JSON."""

    media_type = JSON

    def render(self, content: Any) -> bytes:
        """Write it."""
        return msgspec.json.encode(content)


def outcome(status: int, said: str) -> Resource:
    """Return an OperationOutcome."""
    issue = {"severity": "error", "code": ISSUE.get(status, "exception"), "diagnostics": said}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def outcome_of(error: ApiError) -> FhirResponse:
    """Return an error of the API as FHIR says it."""
    return FhirResponse(outcome(error.status_code, error.problem.detail), error.status_code, error.headers)
