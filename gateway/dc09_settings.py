"""Settings of SIA DC-09: where alarm panels report to."""

from typing import Self

from pydantic import Field, model_validator

from gateway.sections import Network, Port, Section, fault, is_loopback


class Dc09Settings(Section):
    """Lines of alarm panels over TCP and UDP, without encryption: by a private network or a VPN only.

    Panels prove nothing, so those of `trusted` networks alone are heard, and on loopback everybody.
    `max_connections` further ones are closed; one that says nothing for `idle_s`, or leaves a line half done
    for `slow_s`, is closed.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    tcp_port: Port | None = 7700
    udp_port: Port | None = None
    trusted: tuple[Network, ...] = ()
    max_connections: int = Field(1000, ge=1, le=50_000)
    idle_s: float = Field(900, ge=1, le=86_400)
    slow_s: float = Field(10, gt=0, le=120)

    @model_validator(mode="after")
    def _knows_whom_it_hears(self) -> Self:
        if self.enabled and self.tcp_port is None and self.udp_port is None:
            fault("tcp_port", "no port at all", "one of tcp_port and udp_port")
        if self.enabled and not is_loopback(self.host) and not self.trusted:
            fault("host", repr(self.host), "a loopback address, or any once trusted is set")
        return self
