"""Settings of SIP: where alarm units' messages are taken in, who may send them, how they are answered."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from gateway.sections import Network, Port, Section, fault, is_loopback


class SipTls(Section):
    """Paths to PEM files; with `client_ca` a unit must show a certificate of that authority."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


class SipPeerSettings(Section):
    """Units that want their reply otherwise, by the user of their From or by their network.

    `reply` is `message` (a MESSAGE of our own after the acknowledgement) or `body` (inside the 200).
    """

    users: tuple[str, ...] = ()
    network: Network | None = None
    reply: Literal["message", "body"] = "body"

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.users and self.network is None:
            fault("users", "nothing", "users or a network")
        return self


class SipSettings(Section):
    """SIP MESSAGE as alarm units send it. Every limit has a name and an effect.

    `users` is a file of lines `user:realm:hash` as htdigest writes it (MD5 or SHA-256); a peer of `trusted`
    is not asked for a password. A body above `max_body_bytes` is kept as evidence and answered as too
    long. `max_connections` further ones are closed; one that says nothing for `idle_s`, or leaves a message
    or our bytes half done for `slow_s`, is closed. `interval` is the heartbeat code for units that ask.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    udp_port: Port | None = 5060
    tcp_port: Port | None = 5060
    tls_port: Port | None = None
    tls: SipTls | None = None
    realm: str = Field("vaka", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    users: Path | None = None
    trusted: tuple[Network, ...] = ()
    own_unit_only: bool = False
    unknown_units: Literal["take", "refuse"] = "take"
    accepted: Literal[200, 202] = 200
    interval: int | None = Field(None, ge=0, le=4)
    peer: tuple[SipPeerSettings, ...] = ()
    max_body_bytes: int = Field(4096, ge=1300, le=65_536)
    max_connections: int = Field(2000, ge=1, le=50_000)
    idle_s: float = Field(900, ge=1, le=86_400)
    slow_s: float = Field(10, gt=0, le=120)

    @model_validator(mode="after")
    def _can_be_served(self) -> Self:
        if self.enabled and self.udp_port is None and self.tcp_port is None and self.tls_port is None:
            fault("udp_port", "no port at all", "one of udp_port, tcp_port and tls_port")
        if (self.tls_port is None) is not (self.tls is None):
            fault("tls_port", "one of tls_port and tls", "both or none")
        if self.enabled and not is_loopback(self.host) and self.users is None and not self.trusted:
            fault("host", repr(self.host), "a loopback address, or any once users or trusted is set")
        return self
