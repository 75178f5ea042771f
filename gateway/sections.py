"""Sections: what every part of a configuration has in common."""

from base64 import b64decode
from ipaddress import ip_address, ip_network
from typing import Annotated, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
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


def _webhook_secret(secret: SecretStr) -> SecretStr:
    try:
        key = b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not secret.get_secret_value().startswith("whsec_") or not 24 <= len(key) <= 64:
        fault("", "*** (not shown)", "whsec_ and 24 to 64 bytes in base64")
    return secret


WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
"""The key that signs webhooks, as Standard Webhooks writes it."""


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        fault("", repr(text), "an address or a network, as 10.20.0.0/16")


Network = Annotated[str, AfterValidator(_network)]
"""Addresses of peers, as 10.20.0.0/16."""


class Section(BaseModel):
    """A table whose keys are all known, and that nobody changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
