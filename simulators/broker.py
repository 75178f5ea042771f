"""Where the simulators speak to: a broker or listener, as a URL."""

import ssl
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from gateway.contract.errors import ConfigurationError

PORTS = {"mqtt": 1883, "mqtts": 8883}


class Broker(msgspec.Struct, frozen=True):
    """Host, port, and the certificate authority if TLS is spoken."""

    host: str
    port: int
    tls: bool = False
    ca: Path | None = None

    def context(self) -> ssl.SSLContext | None:
        """Return the TLS context, None for plain MQTT."""
        return ssl.create_default_context(cafile=self.ca) if self.tls else None


def read_broker(url: str, ca: Path | None = None) -> Broker:
    """Read mqtt://host:port or mqtts://host:port; ConfigurationError says what is allowed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"broker = {url!r}: {error}; allowed: mqtt://host:port") from error
    if parts.scheme not in PORTS or not parts.hostname or parts.username:
        raise ConfigurationError(f"broker = {url!r}; allowed: mqtt://host:port or mqtts://host:port")
    if ca is not None and not ca.is_file():
        raise ConfigurationError(f"ca = {ca}; allowed: a PEM file that exists")
    return Broker(parts.hostname, port or PORTS[parts.scheme], parts.scheme == "mqtts", ca)
