"""How a broker is reached: address, TLS, and how long to wait between attempts."""

import ssl
from random import Random
from urllib.parse import urlsplit

from gateway.config import BrokerSettings
from gateway.contract import ConfigurationError

FIRST_WAIT_S = 0.5
"""Upper bound of the first wait; it doubles up to `reconnect_max_s`."""


def address(settings: BrokerSettings) -> tuple[str, int]:
    """Return host and port; without a port 1883, with TLS 8883."""
    parts = urlsplit(settings.url)
    return parts.hostname or "", parts.port or (8883 if parts.scheme == "mqtts" else 1883)


def tls_context(settings: BrokerSettings) -> ssl.SSLContext | None:
    """Read the certificates anew, so that a renewed one is used at the next connection; None for mqtt://."""
    if not settings.url.startswith("mqtts:"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate:
            context.load_cert_chain(settings.certificate, settings.key)
    except OSError as error:  # ssl.SSLError among them
        files = ", ".join(str(path) for path in (settings.ca, settings.certificate, settings.key) if path)
        raise ConfigurationError(f"broker {settings.name}: TLS files {files}: {error}") from error
    return context


class Backoff:
    """Full jitter: each wait is drawn between zero and a bound that doubles with every attempt."""

    def __init__(self, longest_s: float, random: Random) -> None:
        self._longest_s = longest_s
        self._random = random
        self._attempts = 0

    def next_s(self) -> float:
        """Draw the next wait."""
        bound = min(self._longest_s, FIRST_WAIT_S * 2 ** min(self._attempts, 20))
        self._attempts += 1
        return self._random.uniform(0, bound)

    def rival_s(self) -> float:
        """Draw a long wait: another client holds the session, and taking it back at once starts a storm."""
        self._attempts += 1
        return self._random.uniform(self._longest_s / 2, self._longest_s)

    def reset(self) -> None:
        """Start again from the short waits: a connection has held."""
        self._attempts = 0
