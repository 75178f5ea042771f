"""The gateway as client of one broker: keeps a connection, and what is known about it, until cancelled."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from random import Random, SystemRandom

from gateway.config import BrokerSettings
from gateway.contract import Clock, ConfigurationError, Intake
from gateway.sections import is_loopback
from gateway.transports.mqtt_client.dialling import Backoff, address, tls_context
from gateway.transports.mqtt_client.link import Link
from gateway.transports.mqtt_client.packets import checked_filters
from gateway.transports.mqtt_client.refusals import Ending
from gateway.transports.mqtt_client.standing import Standing
from gateway.transports.mqtt_client.subscriptions import Subscriptions

log = logging.getLogger(__name__)

CONNECT_S = 10.0
"""How long TCP and TLS may take."""

SETTLED_S = 5.0
"""How long a connection must hold before the broker counts as no longer lost."""


class BrokerClient:
    """Takes messages from one broker and acknowledges each only after its frame is on disk.

    The session is persistent, so what the gateway misses while it is away waits at the broker. Raises
    ConfigurationError when made with a wrong filter or TLS file; after that every trouble is
    logged, shown in `standing`, and tried again.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        topics: Sequence[str],
        intake: Intake,
        clock: Clock,
        random: Random | None = None,
    ) -> None:
        self._settings = settings
        self._address = address(settings)
        tls_context(settings)
        self._intake = intake
        self._clock = clock
        self.standing = Standing(lost_since=clock.now())
        filters = checked_filters(settings.name, topics)
        self._subscriptions = Subscriptions(settings.name, filters, self.standing)
        self._link: Link | None = None
        self._backoff = Backoff(settings.reconnect_max_s, random or SystemRandom())

    @property
    def name(self) -> str:
        """The broker's name in the configuration."""
        return self._settings.name

    @property
    def connected(self) -> bool:
        """True while the broker has accepted the connection."""
        return self.standing.connected

    @property
    def lost_since(self) -> datetime | None:
        """Since when no connection has held (the start included); None while one holds."""
        return self.standing.lost_since

    @property
    def received(self) -> int:
        """Messages received since the start, repeats included."""
        return self.standing.received

    @property
    def acknowledged(self) -> int:
        """Messages of QoS 1 acknowledged since the start: all of them are on disk."""
        return self.standing.acknowledged

    @property
    def reconnects(self) -> int:
        """Connections after the first one that the broker accepted."""
        return self.standing.reconnects

    async def publish(
        self, topic: str, payload: bytes, *, retain: bool, expiry_s: float | None = None
    ) -> None:
        """Send a message to devices, QoS 1; returns when the broker has it.

        Raises Refused when the broker refuses it, OSError while there is no connection, TimeoutError.
        """
        if self._link is None or not self.standing.connected:
            raise ConnectionError(f"broker {self.name} is not connected")
        await self._link.outflow.publish(topic, payload, retain=retain, expiry_s=expiry_s)

    async def run(self) -> None:
        """Stay connected until cancelled; then tell the broker that the gateway stops."""
        if not (self._settings.url.startswith("mqtts:") or is_loopback(self._address[0])):
            log.warning(
                "broker %s: everything, a password too, goes unencrypted to %s: use mqtts://",
                self.name,
                self._address[0],
            )
        while True:
            ending = await self._connection()
            self._lost(ending)
            wait_s = self._backoff.rival_s() if ending.rival else self._backoff.next_s()
            log.warning("broker %s: %s; next attempt in %.1f s", self.name, ending.why, wait_s)
            await asyncio.sleep(wait_s)

    async def _connection(self) -> Ending:
        """Hold one connection to its end, and return the reason."""
        self._link = link = Link(
            self._settings, self._subscriptions, self._intake, self._clock, self.standing
        )
        host, port = self._address
        try:
            context = tls_context(self._settings)
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: link, host, port, ssl=context, server_hostname=host if context else None
                )
        except (OSError, ConfigurationError) as error:  # ssl.SSLError and TimeoutError are OSErrors
            return Ending(f"cannot connect to {host}:{port}: {str(error) or 'no answer'}")
        later = asyncio.get_running_loop().call_later
        settled = later(SETTLED_S, self._settled)
        proven = later(2 * self._settings.reconnect_max_s, self._proven)
        try:
            return await asyncio.shield(link.ended)
        except asyncio.CancelledError:
            link.close()
            with suppress(asyncio.CancelledError):
                await link.ended
            raise
        finally:
            settled.cancel()
            proven.cancel()

    def _settled(self) -> None:
        if self.standing.connected:
            self.standing.lost_since = None
            self.standing.trouble = ""

    def _lost(self, ending: Ending) -> None:
        self.standing.trouble = ending.why
        if self.standing.lost_since is None:
            self.standing.lost_since = self._clock.now()

    def _proven(self) -> None:
        """Begin with short waits again, but only once a connection has outlived any wait.

        Two clients with the same id end each other's connections: were every new connection a
        success, they would do so many times a second.
        """
        if self.standing.connected:
            self._backoff.reset()
