"""Sections: what every part of a configuration has in common."""

from ipaddress import ip_address
from typing import Annotated, NoReturn

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 lets the system choose one."""


def is_loopback(host: str) -> bool:
    """Tell whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def fault(key: str, found: str, allowed: str) -> NoReturn:
    """Raise a fault that concerns the key, relative to the section that is being checked."""
    raise PydanticCustomError("vaka", "{allowed}", {"key": key, "found": found, "allowed": allowed})


class Section(BaseModel):
    """A table whose keys are all known, and that nobody changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
