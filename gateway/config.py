"""Configuration: one TOML file with environment overrides (VAKA_API__PORT=8080), checked before the start."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import tomli
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from gateway.ble_settings import BleSettings
from gateway.channel_settings import ChannelSettings
from gateway.contract import ConfigurationError
from gateway.dc09_settings import Dc09Settings
from gateway.files import read_registry, read_toml
from gateway.model.faults import RecordError
from gateway.model.registry import Registry
from gateway.sections import Port, Section, fault, is_loopback
from gateway.sip_settings import SipSettings
from gateway.tap_settings import TapSettings

PREFIX = "VAKA_"
NO_KEYS = frozenset({"VAKA_LOG"})
"""Variables with our prefix that set no key: the log level is needed before the configuration is read."""


def broker_url(url: str) -> str:
    """Take an address of a broker, or of a listener; faults name what was found and what is allowed."""
    allowed = "mqtt://host:port or mqtts://host:port, and nothing more (username and password are own keys)"
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port past 65535 or an unclosed [
        named = False
    if (
        not named
        or url != f"{parts.scheme}://{parts.netloc}"
        or "@" in url
        or parts.scheme not in {"mqtt", "mqtts"}
    ):
        fault("", repr(url), allowed)
    return url


class Tls(Section):
    """Paths to PEM files: the server's certificate chain and its private key."""

    certificate: Path
    key: Path


class ListenerTls(Tls):
    """With `client_ca` (a PEM file) a device may show a certificate, with `require_client` it must."""

    client_ca: Path | None = None
    require_client: bool = False


class ListenerSettings(Section):
    """The built-in MQTT listener that devices connect to. Every limit has a name and an effect.

    `receive_maximum` frames may be unacknowledged on one connection before reading it pauses;
    `max_connections` further ones are refused with "server busy"; `max_queued` messages wait for one
    device, the oldest configuration excepted, before a command is refused.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 1883
    tls: ListenerTls | None = None
    anonymous: bool = False
    receive_maximum: int = Field(64, ge=1, le=65535)
    max_connections: int = Field(50_000, ge=1)
    max_queued: int = Field(100, ge=1)
    max_keep_alive_s: int = Field(3600, ge=1, le=65535)
    session_expiry_s: int = Field(7 * 86400, ge=0)
    connect_timeout_s: float = Field(10, gt=0)


class BrokerSettings(Section):
    """One MQTT broker that the gateway is a client of.

    `url` is mqtt://host:port or mqtts://host:port; `protocol` 5 or 4 (MQTT 3.1.1). `receive_maximum`
    is the back-pressure: so many messages may wait for the disk.
    """

    name: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    url: Annotated[str, AfterValidator(broker_url)]
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


class UserSettings(Section):
    """A local user until single sign-on comes: argon2 hash (`vaka password`), teams answered for."""

    name: str = Field(pattern=r"^[a-z0-9._-]{1,64}$")
    password_hash: SecretStr
    role: Literal["staff", "lead", "engineer"] = "staff"
    teams: tuple[str, ...] = ()


Scope = Literal[
    "alerts:read",
    "alerts:write",
    "people:read",
    "people:write",
    "devices:read",
    "devices:write",
    "devices:command",
    "trace:read",
    "frames:write",
    "metrics:read",
    "fhir:read",
    "fhir:subscribe",
]


class TokenSettings(Section):
    """An API token: BLAKE2 hash from `vaka token`, what it may do, and of which `tenants` (empty: of all)."""

    name: str = Field(pattern=r"^[a-z0-9._-]{1,64}$")
    token_hash: SecretStr
    scopes: tuple[Scope, ...] = Field(min_length=1)
    tenants: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _only_fhir_is_narrowed(self) -> Self:
        """Refuse tenants beside a right that does not look at them."""
        if self.tenants and not set(self.scopes) <= {"fhir:read", "fhir:subscribe"}:
            fault(
                "tenants",
                f"them beside scopes {', '.join(self.scopes)}",
                "fhir:read, fhir:subscribe, or no tenants",
            )
        return self


class ApiSettings(Section):
    """The HTTP API, the pages and the webhook."""

    host: str = "127.0.0.1"
    port: Port = 8080
    tls: Tls | None = None
    language: Literal["sv", "en"] = "sv"
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    session_hours: float = Field(10, gt=0, le=24)
    user: tuple[UserSettings, ...] = ()
    token: tuple[TokenSettings, ...] = ()


class LimitSettings(Section):
    """What the house holds at once. At `queue_frames` the ways in wait: back-pressure, no silent drop."""

    queue_frames: int = Field(20_000, ge=100)
    commit_batch: int = Field(64, ge=1, le=4096)


def _secret_url(secret: SecretStr) -> SecretStr:
    """Take https, or http to this machine: what is told outside must not be forged on its way."""
    parts = urlsplit(secret.get_secret_value())
    if not parts.hostname or (
        parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname))
    ):
        fault("", "an address of another kind", "https://..., or http:// to a loopback address")
    return secret


class WatchSettings(Section):
    """How the gateway watches itself.

    With `round_trip` a synthetic alarm goes through the whole chain every `every_s` seconds; each one
    that comes back is told to `ping_url`, an outside watcher that raises its own alarm when it hears
    nothing. `alarm_url` is told past every usual way when the gateway finds itself failing.
    """

    round_trip: bool = True
    every_s: float = Field(60, ge=1, le=3600)
    ping_url: Annotated[SecretStr, AfterValidator(_secret_url)] | None = None
    alarm_url: Annotated[SecretStr, AfterValidator(_secret_url)] | None = None


class Settings(Section):
    """The whole configuration. `data_dir` holds the journal and the state; `registry` is TOML or JSON."""

    data_dir: Path = Path("var")
    registry: Path | None = None
    adapters: tuple[str, ...] = ()
    rules_dir: Path | None = None
    active_rules: tuple[str, ...] = ()
    shadow_rules: bool = True
    listener: ListenerSettings = ListenerSettings()
    broker: tuple[BrokerSettings, ...] = ()
    ble: BleSettings = BleSettings()
    sip: SipSettings = SipSettings()
    dc09: Dc09Settings = Dc09Settings()
    api: ApiSettings = ApiSettings()
    channels: ChannelSettings = ChannelSettings()
    limits: LimitSettings = LimitSettings()
    watch: WatchSettings = WatchSettings()
    taps: TapSettings = TapSettings()

    @field_validator("broker")
    @classmethod
    def _broker_names_differ(cls, brokers: tuple[BrokerSettings, ...]) -> tuple[BrokerSettings, ...]:
        names = [broker.name for broker in brokers]
        for name in names:
            if names.count(name) > 1:
                fault("name", f"{name!r} more than once", "a name of its own for every broker")
        return brokers

    @model_validator(mode="after")
    def _safe_by_default(self) -> Self:
        if not is_loopback(self.api.host) and not (self.api.user or self.api.token):
            fault(
                "api.host",
                repr(self.api.host),
                "a loopback address, or any once api.user or api.token is set",
            )
        public = urlsplit(self.channels.public_url or "").hostname
        if public and public not in {host.strip("[]") for host in self.api.allowed_hosts}:
            allowed = "a host that api.allowed_hosts names as well"
            fault("channels.public_url", repr(self.channels.public_url), allowed)
        if self.channels.scaip is not None and not self.sip.enabled:
            fault("sip.enabled", "false", "true where channels.scaip is set: replies come in by it")
        if not is_loopback(self.listener.host) and self.listener.anonymous:
            fault(
                "listener.anonymous",
                f"true on {self.listener.host!r}",
                "false, or a loopback address as listener.host",
            )
        return self


def load_settings(path: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the file (or defaults), the environment laid over it; ConfigurationError says all faults."""
    found, origins = with_environment(read_toml(path) if path else {}, environment)
    return validated(Settings, found, str(path or "defaults"), origins)


def with_environment(
    found: dict[str, Any], environment: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    """Lay the environment over what a file says; returns that, and which key comes from which variable."""
    origins: dict[tuple[str, ...], str] = {}
    for name, text in sorted((os.environ if environment is None else environment).items()):
        if name.startswith(PREFIX) and name not in NO_KEYS:
            keys = tuple(name.removeprefix(PREFIX).lower().split("__"))
            _lay_over(found, keys, text, name)
            origins[keys] = f"environment {name}"
    return found, origins


def load_registry(path: Path) -> Registry:
    """Read a registry file; ConfigurationError says every fault with its key."""
    try:
        return Registry.of(read_registry(path))
    except RecordError as error:
        raise ConfigurationError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _lay_over(found: dict[str, Any], keys: tuple[str, ...], text: str, name: str) -> None:
    """Set one value; a number in the name counts the tables of a list (VAKA_BROKER__0__PASSWORD)."""
    place: Any = found
    try:
        for key in keys[:-1]:
            place = place[int(key)] if isinstance(place, list) else place.setdefault(key, {})
        place[int(keys[-1]) if isinstance(place, list) else keys[-1]] = _environment_value(text)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"environment {name}: found no such place; allowed: "
            "the name of a key, its parts joined by __, a list's tables counted from 0"
        ) from error


def _environment_value(text: str) -> object:
    """Read lists and tables as TOML; everything else is text, which the key's own type then reads."""
    if text[:1] not in ("[", "{"):
        return text
    try:
        return tomli.loads(f"value = {text}")["value"]
    except tomli.TOMLDecodeError:
        return text


M = TypeVar("M", bound=BaseModel)


def validated(
    model: type[M],
    found: dict[str, Any],
    origin: str,
    origins: Mapping[tuple[str, ...], str] | None = None,
    *,
    keys_in: str = "docs/configuration.md",
) -> M:
    """Read a table that a person wrote; ConfigurationError says every fault: origin, key, found, allowed.

    `origins` tells which keys came from elsewhere, `keys_in` which document lists the keys.
    """
    try:
        return model.model_validate(found)
    except ValidationError as error:
        lines = [_line(fault, origin, origins or {}, keys_in) for fault in error.errors()]
    raise ConfigurationError("\n".join(lines))  # not chained: pydantic's own text would show secrets


def _line(fault: ErrorDetails, origin: str, origins: Mapping[tuple[str, ...], str], keys_in: str) -> str:
    """Say one fault: where, which key, what was found (never a secret), what is allowed."""
    context = fault.get("ctx", {}) if fault["type"] == "vaka" else {}
    keys = tuple(part for part in (*map(str, fault["loc"]), *context.get("key", "").split(".")) if part)
    laid = (name for place, name in origins.items() if place[: len(keys)] == keys[: len(place)])
    found = _without_address_secret(context.get("found") or _found(fault, keys))
    allowed = fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    allowed = _ALLOWED.get(fault["type"], allowed).replace("{keys_in}", keys_in)
    return f"{next(laid, origin)}: {'.'.join(keys)}: found {found}; allowed: {allowed}"


_ALLOWED = {
    "extra_forbidden": "a key that {keys_in} names",
    "missing": "a value; the key must be set",
    "model_type": "a table",
    "tuple_type": "a list",
}


_SECRET = ("password", "secret", "token_hash")


def _found(fault: ErrorDetails, keys: tuple[str, ...]) -> str:
    """Name what stood there; the value itself only where a single value of a known key was expected."""
    if fault["type"] == "missing":
        return "nothing"
    if fault["type"] == "extra_forbidden":
        return "a key that does not exist"
    if fault["type"] in _ALLOWED or isinstance(fault["input"], dict | list):
        return f"a value of the type {type(fault['input']).__name__}"
    if any(word in keys[-1] for word in _SECRET):
        return "*** (not shown)"
    return repr(fault["input"])


def _without_address_secret(found: str) -> str:
    return re.sub(r"//.*@", "//***@", found)
