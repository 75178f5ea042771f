"""What the FHIR facade answers when it will not do what was asked: an OperationOutcome, always."""

from typing import Any

from fastapi.responses import JSONResponse

from gateway.api.errors import ApiError
from gateway.fhir.bundles import outcome

MEDIA = "application/fhir+json"
PREFIX = "/fhir"
ISSUES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    409: "conflict",
    413: "too-long",
    422: "invalid",
    429: "throttled",
    501: "not-supported",
    503: "transient",
}
"""FHIR's issue-type by the HTTP status."""


class FhirResponse(JSONResponse):
    """FHIR's own media type."""

    media_type = MEDIA


class BadSearchError(ApiError):
    """A parameter, or its value, that is not understood."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, "invalid", detail)


class UnacceptableError(ApiError):
    """A format that we do not write."""

    def __init__(self, found: str) -> None:
        super().__init__(406, "unacceptable", f"_format or Accept: found {found[:80]!r}; allowed: {MEDIA}")


class ThrottledError(ApiError):
    """So much is under way already."""

    def __init__(self, detail: str, after_s: int) -> None:
        super().__init__(429, "throttled", detail, {"Retry-After": str(after_s)})


def is_fhir(path: str) -> bool:
    """Tell whether an address is one of the facade."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def said(error: ApiError) -> FhirResponse:
    """Return an error as an OperationOutcome."""
    status = 400 if error.status_code == 422 else error.status_code
    told = outcome(ISSUES.get(status, "exception"), error.problem.detail)
    return FhirResponse(told, status, error.headers)


RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"description": f"OperationOutcome: {ISSUES[code]}", "content": {MEDIA: {}}}
    for code in (400, 401, 403, 404, 503)
}
