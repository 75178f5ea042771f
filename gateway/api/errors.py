"""What the API answers when it will not do what was asked: one shape for all, for people and programs."""

from typing import Any

from fastapi import status
from pydantic import BaseModel, Field


class Problem(BaseModel):
    """Why nothing was done."""

    code: str = Field(description="A short name that does not change between versions.", examples=["refused"])
    detail: str = Field(
        description="What was found and what to do, in plain English.",
        examples=["alert 17 is already closed"],
    )


class ApiError(Exception):
    """An answer other than success, with its HTTP status, a stable code and one sentence."""

    def __init__(
        self, status_code: int, code: str, detail: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status_code = status_code
        self.problem = Problem(code=code, detail=detail)
        self.headers = headers or {}


class NotSignedInError(ApiError):
    """Nobody is signed in, or the token is not known."""

    def __init__(self) -> None:
        super().__init__(
            status.HTTP_401_UNAUTHORIZED,
            "not_signed_in",
            "sign in, or send a known API token",
            {"WWW-Authenticate": "Bearer"},
        )


class NotAllowedError(ApiError):
    """Somebody is signed in, and may not do this."""

    def __init__(self, detail: str) -> None:
        super().__init__(status.HTTP_403_FORBIDDEN, "not_allowed", detail)


class NotFoundError(ApiError):
    """There is no such thing, or the actor may not know of it."""

    def __init__(self, what: str) -> None:
        super().__init__(status.HTTP_404_NOT_FOUND, "not_found", f"there is no {what}")


class RefusedError(ApiError):
    """The answer does not fit the alert as it stands; nothing was changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(status.HTTP_409_CONFLICT, "refused", reason)


class UnavailableError(ApiError):
    """The disk or the database refused; the same request may be sent again."""

    def __init__(self, detail: str) -> None:
        super().__init__(status.HTTP_503_SERVICE_UNAVAILABLE, "unavailable", detail, {"Retry-After": "2"})


class UnsettledError(ApiError):
    """The answer is on disk and will be judged; the engine had not reached it in time."""

    def __init__(self, position: int) -> None:
        super().__init__(
            status.HTTP_202_ACCEPTED,
            "not_judged_yet",
            f"the answer is on disk as frame {position} and will be judged; look at the alert again",
        )


Responses = dict[int | str, dict[str, Any]]


def problems(*codes: int) -> Responses:
    """Return the OpenAPI description of the error answers an operation may give."""
    said = {
        202: "On disk, not judged yet",
        401: "Nobody is signed in",
        403: "Not allowed, or the request could be forged",
        404: "There is no such thing",
        409: "The answer does not fit the alert as it stands; nothing was changed",
        422: "Not understood: the wrong shape, or a value out of its limits",
        503: "The store or the journal is not available; send it again",
    }
    return {code: {"model": Problem, "description": said[code]} for code in sorted({*codes, 422})}
