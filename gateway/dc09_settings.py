"""Settings of SIA DC-09: where alarm panels report to."""

from pydantic import Field

from gateway.sections import Port, Section


class Dc09Settings(Section):
    """Lines of alarm panels over TCP and UDP, without encryption: by a private network or a VPN only.

    `max_connections` further ones are closed; one that says nothing for `idle_s`, or leaves a line half done
    for `slow_s`, is closed.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    tcp_port: Port | None = 7700
    udp_port: Port | None = None
    max_connections: int = Field(1000, ge=1, le=50_000)
    idle_s: float = Field(900, ge=1, le=86_400)
    slow_s: float = Field(10, gt=0, le=120)
