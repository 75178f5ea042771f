"""The whole house with its real ways in: packets over a network in memory, straight or through a broker."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from pathlib import Path
from typing import Literal

from gateway.config import BrokerSettings, ListenerSettings
from gateway.contract import Adapter, StoreUnavailableError
from gateway.model.registry import Registry
from gateway.stores.sessions import SqliteSessionStore
from gateway.transports.mqtt_client import BrokerClient
from gateway.transports.mqtt_listener import MqttListener, RegistryCredentials
from simulators.chance import stream
from simulators.house.port import Arrival, Setting
from simulators.house.whole import Whole
from simulators.outputs import Link, Message
from simulators.protocol.broker import Broker
from simulators.protocol.client import Client, Login
from simulators.protocol.network import GATEWAY, NetworkLoop

Way = Literal["listener", "broker"]
LISTENER_PORT, BROKER_PORT = 1883, 1884
TICK_S = 2.0
"""How often the listener looks for silent devices: a tenth as often as in life, ten times as fast."""


class _Sessions(SqliteSessionStore):
    """The file of the listener's sessions, which a power cut takes away."""

    gone = False

    def save(self, records: Mapping[str, bytes | None]) -> None:
        """Write, unless the power is gone."""
        if self.gone:
            raise StoreUnavailableError("the power is gone")
        super().save(records)

    def close(self) -> None:
        """Release the file; nothing more is written."""
        self.gone = True
        super().close()


class Wired(Whole):
    """Devices are MQTT clients; the gateway's listener, or its client of a broker, hears them.

    An arrival is handed to its device's client, which sends it when it has a connection and hears its
    PUBACK. A link that breaks is cut without a goodbye, so that the last will is spoken by whoever keeps
    it. A device that no link was ever told of is connected when it first sends.
    """

    loop: NetworkLoop

    def __init__(
        self,
        setting: Setting,
        folder: Path,
        passwords: Mapping[str, str],
        way: Way = "listener",
        seed: int = 1,
    ) -> None:
        self.way: Way = way
        self.clients: dict[str, Client] = {}
        self._passwords, self._seed = passwords, seed
        self._sessions: _Sessions | None = None
        self.broker: Broker | None = None
        super().__init__(setting, folder)

    def make_loop(self) -> NetworkLoop:
        """Make the loop, and the broker beside the gateway where there is one."""
        loop = NetworkLoop()
        if self.way == "broker":
            self.broker = Broker(loop, BROKER_PORT)
            self.broker.start()
        return loop

    # --- Gateway ---

    def take(self, arrival: Arrival) -> None:
        """Give a message to its device's client."""
        if isinstance(arrival.message, Link):
            raise TypeError("a link is no message")
        known = arrival.device in self.clients
        client = self._client(arrival.device)
        if not known:
            self.loop.call_soon(client.up, None)
        self.loop.call_soon(partial(client.publish, arrival.message, arrival.token, again=arrival.duplicate))

    def link(self, at: datetime, device: str, will: Message, *, up: bool) -> None:  # noqa: ARG002 - it is now
        """Let a device's client connect, or cut its connection."""
        client = self._client(device)
        self.loop.call_soon(partial(client.up, will) if up else client.down)

    def next_at(self) -> datetime | None:
        """Return when something is to be done, in the gateway or by a device that tries to reach it."""
        at_s = self.loop.next_s()
        return None if at_s is None else self.clock.start + timedelta(microseconds=ceil(at_s * 1e6))

    # --- faults of the link, for scenarios ---

    def cut(self, device: str) -> None:
        """Break a device's connection without a goodbye; the device knows it, and connects again."""
        self.loop.call_soon(self.loop.network.cut, device)

    def half_open(self, device: str) -> None:
        """Let everything vanish on a device's connection, and neither side know until it misses an answer."""
        self.loop.call_soon(self.loop.network.half_open, device)

    def deafen(self, device: str) -> None:
        """Let every PUBACK to a device vanish, until it takes the connection for dead and sends again."""
        self.loop.call_soon(self.loop.network.deafen, device)

    def broker_down(self, *, keeping: bool = True) -> None:
        """Stop the broker as a power cut does; with `keeping` its sessions are on its disk."""
        if self.broker is not None:
            self.loop.call_soon(partial(self.broker.stop, keeping=keeping))

    def broker_up(self) -> None:
        """Start the broker again."""
        if self.broker is not None:
            self.loop.call_soon(self.broker.start)

    # --- ways in ---

    def open_ways_in(self) -> None:
        """Start the listener, or connect to the broker."""
        if self.way == "listener":
            self._sessions = _Sessions(self.folder / "sessions.db")
            self.listener = MqttListener(
                ListenerSettings(port=LISTENER_PORT),
                self.intake,
                RegistryCredentials(self._registry),
                {adapter.manifest.id: adapter.manifest for adapter in self._adapters()},
                self._sessions,
                self.clock,
            )
            self.listener.tick_s = TICK_S
            self.loop.run_until_complete(self.listener.start())
            return
        settings = BrokerSettings(name="memory", url=f"mqtt://127.0.0.1:{BROKER_PORT}")
        topics = [topic for adapter in self._adapters() for topic in adapter.manifest.topics]
        rng = stream(self._seed, GATEWAY, "backoff")
        self.client = BrokerClient(settings, topics, self.intake, self.clock, rng)
        self._tasks.append(self.part(self.client.run(), "broker"))

    def lose_ways_in(self) -> None:
        """Cut every connection of the gateway, and close its files."""
        if self._sessions is not None:
            self._sessions.close()
        if self.way == "listener":
            self.loop.network.power_off(LISTENER_PORT)
        else:
            self.loop.network.cut(GATEWAY)

    def _adapters(self) -> list[Adapter]:
        known = self.setting.walk.table.adapters
        return list(known.values())

    def _registry(self) -> Registry:
        return self.board.registry

    def _client(self, device: str) -> Client:
        client = self.clients.get(device)
        if client is None:
            port = BROKER_PORT if self.way == "broker" else LISTENER_PORT
            login, rng = (
                Login(device, self._passwords.get(device), port),
                stream(self._seed, device, "client"),
            )
            client = Client(self.loop, login, rng, lambda token: self.acknowledged([token]))
            self.clients[device] = client
        return client
