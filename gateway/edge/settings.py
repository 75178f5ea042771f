"""Settings: the configuration of a home edge, one TOML file with the environment laid over it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from gateway.ble_settings import BleSettings
from gateway.config import BrokerSettings, ListenerSettings, broker_url, validated, with_environment
from gateway.files import read_toml
from gateway.model.vocabulary import DeviceKind
from gateway.sections import Section, fault, is_loopback

LEVEL = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$"
KEYS_IN = "docs/edge.md"


class IdentitySettings(Section):
    """Who the edge is: a device of the standard interface, enrolled at the centre with the kind `gateway`.

    `tenant` and `name` are the levels of its topics, `username` the device's id in the registry (the same as
    `tenant/name` when it is left out).
    """

    tenant: str = Field(pattern=LEVEL)
    name: str = Field(pattern=LEVEL)
    username: str = ""
    password: SecretStr | None = None

    @property
    def native_id(self) -> str:
        """The edge's name at the standard interface."""
        return f"{self.tenant}/{self.name}"


class LinkSettings(Section):
    """One way to the centre: its own listener or a broker before it, and the network interface to go by.

    With `interface` (as "eth0", "wwan0") the connection leaves by that interface alone; `address` is the
    local address to go from.
    """

    name: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    url: Annotated[str, AfterValidator(broker_url)]
    interface: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]{1,15}$")
    address: str | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    protocol: Literal[4, 5] = 5

    def broker(self) -> BrokerSettings:
        """Return what the way is dialled by."""
        found = {
            name: getattr(self, name) for name in ("name", "url", "ca", "certificate", "key", "protocol")
        }
        return BrokerSettings(**found)


class UplinkSettings(Section):
    """How the links are used; all times in seconds.

    A link is down when it does not answer CONNECT within `connect_within_s`, a ping within half of
    `keep_alive_s`, or a frame within `ack_within_s`. The edge returns to an earlier link once that has
    answered for `return_after_s`. `in_flight` frames may be on their way. The centre tells of a lost edge
    `lost_after_s` after it noticed that the connection broke.
    """

    in_flight: int = Field(32, ge=1, le=64)
    connect_within_s: float = Field(8, gt=0, le=60)
    ack_within_s: float = Field(15, gt=0, le=300)
    keep_alive_s: int = Field(20, ge=2, le=1200)
    return_after_s: float = Field(60, gt=0, le=86_400)
    reconnect_max_s: float = Field(30, gt=0, le=600)
    lost_after_s: int = Field(10, ge=0, le=3600)


class QueueSettings(Section):
    """What waits on the edge's disk at most; past it the oldest is given up, calls for help last."""

    max_bytes: int = Field(256 << 20, ge=1 << 20, le=64 << 30)
    max_frames: int = Field(200_000, ge=100, le=2_000_000)
    max_age_s: float = Field(7 * 86_400, ge=60, le=366 * 86_400)


class ClockSettings(Section):
    """By what the edge knows that its clock is right.

    `kernel`: the kernel says that a time service keeps it; `trusted`: it always is, as with a clock chip that
    somebody looks after; `none`: it never is.
    """

    source: Literal["kernel", "trusted", "none"] = "kernel"
    max_error_s: float = Field(1, gt=0, le=60)


class DeviceSettings(Section):
    """A device that connects to the edge's own listener, with its password as `vaka secret` makes it."""

    id: str = Field(min_length=1, max_length=128)
    adapter: str
    native_id: str = Field(min_length=1, max_length=256)
    kind: DeviceKind = DeviceKind.UNKNOWN
    secret: str | None = None
    certificate: str | None = None


class EdgeSettings(Section):
    """The whole configuration of an edge."""

    data_dir: Path = Path("var/edge")
    identity: IdentitySettings
    link: tuple[LinkSettings, ...] = Field(min_length=1, max_length=4)
    uplink: UplinkSettings = UplinkSettings()
    queue: QueueSettings = QueueSettings()
    clock: ClockSettings = ClockSettings()
    heartbeat_s: float = Field(60, ge=1, le=86_400)
    adapters: tuple[str, ...] = ()
    listener: ListenerSettings = ListenerSettings()
    ble: BleSettings = BleSettings()
    device: tuple[DeviceSettings, ...] = ()

    @field_validator("link")
    @classmethod
    def _names_differ(cls, links: tuple[LinkSettings, ...]) -> tuple[LinkSettings, ...]:
        names = [link.name for link in links]
        for name in names:
            if names.count(name) > 1:
                fault("name", f"{name!r} more than once", "a name of its own for every link")
        return links

    @model_validator(mode="after")
    def _safe_by_default(self) -> Self:
        if not is_loopback(self.listener.host) and self.listener.anonymous:
            allowed = "false, or a loopback address as listener.host"
            fault("listener.anonymous", f"true on {self.listener.host!r}", allowed)
        certain = all(link.certificate is not None for link in self.link)
        if self.identity.password is None and not certain:
            fault("identity.password", "nothing", "the edge's password, or a certificate for every link")
        for device in self.device:
            if sum(one.id == device.id for one in self.device) > 1:
                fault("device.id", f"{device.id!r} more than once", "each device once")
        return self


def load_edge_settings(path: Path, environment: Mapping[str, str] | None = None) -> EdgeSettings:
    """Read the file, the environment laid over it; ConfigurationError says all faults."""
    found: dict[str, Any] = read_toml(path)
    found, origins = with_environment(found, environment)
    return validated(EdgeSettings, found, str(path), origins, keys_in=KEYS_IN)
