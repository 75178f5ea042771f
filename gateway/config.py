"""Configuration: one TOML file with environment overrides (VAKA_API__PORT=8080), checked before the start."""

import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from gateway.contract import ConfigurationError
from gateway.model.registry import Registry, RegistryDocument

Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 lets the system choose one."""

PREFIX = "VAKA_"


def is_loopback(host: str) -> bool:
    """Tell whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tls(_Section):
    """Paths to PEM files; `client_ca` makes a client certificate possible, `require_client` mandatory."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    require_client: bool = False


class ListenerSettings(_Section):
    """The built-in MQTT listener that devices connect to. Every limit has a name and an effect.

    `receive_maximum` frames may be unacknowledged on one connection before reading it pauses;
    `max_connections` further ones are refused with "server busy"; `max_queued` messages wait for one
    device, the oldest configuration excepted, before a command is refused.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 1883
    tls: Tls | None = None
    anonymous: bool = False
    receive_maximum: int = Field(64, ge=1, le=65535)
    max_connections: int = Field(50_000, ge=1)
    max_queued: int = Field(100, ge=1)
    max_keep_alive_s: int = Field(3600, ge=1, le=65535)
    session_expiry_s: int = Field(7 * 86400, ge=0)
    connect_timeout_s: float = Field(10, gt=0)


class BrokerSettings(_Section):
    """One MQTT broker that the gateway is a client of.

    `url` is mqtt://host:port or mqtts://host:port; `protocol` 5 or 4 (MQTT 3.1.1). `receive_maximum`
    is the back-pressure: so many messages may wait for the disk.
    """

    name: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    url: str = Field(pattern=r"^mqtts?://[^/@\s]+$")
    client_id: str = Field("vaka-gateway", min_length=1, max_length=64)
    protocol: Literal[4, 5] = 5
    topics: tuple[str, ...] = ()
    username: str | None = None
    password: SecretStr | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    keep_alive_s: int = Field(30, ge=5, le=3600)
    receive_maximum: int = Field(2048, ge=1, le=65535)
    session_expiry_s: int = Field(7 * 86400, ge=60)
    reconnect_max_s: float = Field(30, gt=0, le=600)


class UserSettings(_Section):
    """A local user until single sign-on comes: argon2 hash (`vaka password`), teams answered for."""

    name: str = Field(pattern=r"^[a-z0-9._-]{1,64}$")
    password_hash: SecretStr
    role: Literal["staff", "engineer"] = "staff"
    teams: tuple[str, ...] = ()


Scope = Literal["alerts:read", "alerts:write", "devices:read", "devices:write", "trace:read", "frames:write"]


class TokenSettings(_Section):
    """An API token: BLAKE2 hash from `vaka token`, and what it may do."""

    name: str = Field(pattern=r"^[a-z0-9._-]{1,64}$")
    token_hash: SecretStr
    scopes: tuple[Scope, ...] = Field(min_length=1)


class ApiSettings(_Section):
    """The HTTP API, the pages and the webhook."""

    host: str = "127.0.0.1"
    port: Port = 8080
    tls: Tls | None = None
    language: Literal["sv", "en"] = "sv"
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    session_hours: float = Field(10, gt=0, le=24)
    user: tuple[UserSettings, ...] = ()
    token: tuple[TokenSettings, ...] = ()


class LimitSettings(_Section):
    """What the house holds at once. At `queue_frames` the ways in wait: back-pressure, no silent drop."""

    queue_frames: int = Field(20_000, ge=100)
    journal_batch: int = Field(256, ge=1, le=4096)
    engine_batch: int = Field(128, ge=1, le=4096)
    discovered: int = Field(10_000, ge=1)
    quarantine: int = Field(200_000, ge=100)
    late_after_s: float = Field(300, gt=0)
    future_after_s: float = Field(300, gt=0)


class Settings(_Section):
    """The whole configuration. `data_dir` holds the journal and the state; `registry` is a TOML file."""

    data_dir: Path = Path("var")
    registry: Path | None = None
    adapters: tuple[str, ...] = ()
    listener: ListenerSettings = ListenerSettings()
    broker: tuple[BrokerSettings, ...] = ()
    api: ApiSettings = ApiSettings()
    limits: LimitSettings = LimitSettings()

    @field_validator("broker")
    @classmethod
    def _broker_names_differ(cls, brokers: tuple[BrokerSettings, ...]) -> tuple[BrokerSettings, ...]:
        names = [broker.name for broker in brokers]
        if len(set(names)) != len(names):
            raise ValueError("every broker needs a name of its own")
        return brokers

    @model_validator(mode="after")
    def _safe_by_default(self) -> Self:
        if not is_loopback(self.api.host) and not (self.api.user or self.api.token):
            raise ValueError(
                f"api.host = {self.api.host!r} is reachable from other machines: allowed is a loopback "
                "address, or any address once api.user or api.token is set"
            )
        if not is_loopback(self.listener.host) and self.listener.anonymous:
            raise ValueError(
                f"listener.host = {self.listener.host!r} is reachable from other machines: "
                "allowed is listener.anonymous = false"
            )
        return self


def load_settings(path: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the file (or defaults), the environment laid over it; ConfigurationError says all faults."""
    found = _read_toml(path) if path else {}
    for name, text in sorted((os.environ if environment is None else environment).items()):
        if name.startswith(PREFIX):
            _lay_over(found, name.removeprefix(PREFIX).lower().split("__"), text)
    return _validated(Settings, found, str(path or "environment"))


def load_registry(path: Path) -> Registry:
    """Read a registry file; ConfigurationError says every fault with its key."""
    document = _validated(RegistryDocument, _read_toml(path), str(path))
    try:
        return Registry(document)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: there is no such file") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


def _lay_over(found: dict[str, Any], keys: list[str], text: str) -> None:
    for key in keys[:-1]:
        found = found.setdefault(key, {})
    found[keys[-1]] = text


M = TypeVar("M", bound=BaseModel)


def _validated(model: type[M], found: dict[str, Any], origin: str) -> M:
    try:
        return model.model_validate(found)
    except ValidationError as error:
        lines = (_line(origin, fault["loc"], fault["msg"], fault["input"]) for fault in error.errors())
        raise ConfigurationError("\n".join(lines)) from error


def _line(origin: str, where: tuple[int | str, ...], message: str, found: object) -> str:
    """Say one fault: file, key, what was found (secrets excepted), what is allowed."""
    key = ".".join(str(part) for part in where) or "(file)"
    allowed = message.removeprefix("Value error, ")
    secret = any(word in key for word in ("password", "secret", "token_hash"))
    shown = (
        "" if isinstance(found, dict | list) or not where else f": found {'***' if secret else repr(found)}"
    )
    return f"{origin}: {key}{shown}; allowed: {allowed}"
