"""The built-in MQTT listener: devices connect straight to it, and PUBACK means "on our disk"."""

import asyncio
import contextlib
import heapq
from collections.abc import Callable, Mapping
from itertools import count

from gateway.config import ListenerSettings
from gateway.contract import Clock, CredentialCheck, Intake, Manifest, Refused, SessionStore
from gateway.model.frame import MAX_PAYLOAD_BYTES
from gateway.transports.mqtt_listener.connection import Connection
from gateway.transports.mqtt_listener.counters import Counters
from gateway.transports.mqtt_listener.faults import FAULT_BURST, FAULTS_PER_S, Faults, TokenBucket
from gateway.transports.mqtt_listener.house import House, WaitingRoom
from gateway.transports.mqtt_listener.keeper import Keeper
from gateway.transports.mqtt_listener.sessions import SessionBook
from gateway.transports.mqtt_listener.tls import server_context
from gateway.transports.mqtt_listener.topics import WILDCARDS
from gateway.transports.mqtt_listener.wills import Wills

TICK_S = 0.2
LOOK_AGAIN_S = 30.0
EXPIRY_EVERY_S = 60.0
SURPLUS_CONNECTIONS = 64
"""How many connections over the limit are still told "server busy"; the others are just closed."""

_BACKLOG = 1024
_STOP_S = 2.0


class MqttListener:
    """Listens for devices; speaks MQTT 5.0 and 3.1.1, QoS 0 and 1; carries nothing between devices.

    `tick_s` is how often it looks for devices that are silent for too long, and for wills that are due.
    """

    def __init__(  # noqa: PLR0917 - the ports it joins, each once
        self,
        settings: ListenerSettings,
        intake: Intake,
        check: CredentialCheck,
        manifests: Mapping[str, Manifest],
        sessions: SessionStore,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._keeper = Keeper(sessions)
        self._book = SessionBook(
            self._keeper, clock, max_queued=settings.max_queued, max_sessions=settings.max_connections
        )
        self._wills = Wills(self._keeper, intake, clock, self._book.connected)
        self.counters = Counters()
        bucket = TokenBucket(FAULTS_PER_S, FAULT_BURST, clock)
        self._faults = Faults(intake, clock, bucket, self.counters)
        self._ports = (intake, check, manifests, clock)
        self._connections: dict[int, Connection] = {}
        self._watched: list[tuple[float, int]] = []
        self._numbers = count()
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None
        self.tick_s = TICK_S

    def on_acknowledged(self, told: Callable[[str, bytes], None]) -> None:
        """Tell of every message of QoS 1 that a device has acknowledged: its topic and payload."""
        self._book.on_acknowledged = told

    @property
    def port(self) -> int:
        """The TCP port, also when the system has chosen it."""
        if self._server is None:
            return self._settings.port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Take the kept sessions back and listen; raises OSError or StoreUnavailableError."""
        records = await self._keeper.load()
        self._book.restore(records)
        self._wills.restore(records)
        self._loop = asyncio.get_running_loop()
        intake, check, manifests, clock = self._ports
        self._house = House(
            settings=self._settings,
            intake=intake,
            check=check,
            manifests=manifests,
            clock=clock,
            keeper=self._keeper,
            book=self._book,
            wills=self._wills,
            faults=self._faults,
            loop=self._loop,
            counters=self.counters,
            waiting_room=WaitingRoom(self._loop),
        )
        tls = self._settings.tls
        self._server = await self._loop.create_server(
            self._accept,
            self._settings.host,
            self._settings.port,
            backlog=_BACKLOG,
            ssl=server_context(tls, self._tls_failed) if tls else None,
            ssl_handshake_timeout=self._settings.connect_timeout_s if tls else None,
        )
        self._ticking = self._loop.create_task(self._tick())

    async def stop(self) -> None:
        """Say goodbye to every device, save what is left, and stop; sessions and wills are kept."""
        if self._server is None or self._ticking is None:
            return
        self._server.close()
        self._ticking.cancel()
        await asyncio.wait([self._ticking])
        for connection in list(self._connections.values()):
            connection.dialogue.shut_down()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                while self.counters.connections:  # noqa: ASYNC110 - a bounded wait for the last bytes
                    await asyncio.sleep(0.01)
        for connection in list(self._connections.values()):
            connection.abort()
        await self._server.wait_closed()
        self._server = None
        await self._keeper.close()

    async def publish(
        self, topic: str, payload: bytes, *, retain: bool, expiry_s: float | None = None
    ) -> int:
        """Send configuration (`retain`) or a command to whoever listens; return how many sessions do.

        Returns when it is on disk. Raises Refused when the topic or the size is wrong or a device's
        queue is full, StoreUnavailableError when the disk refuses (it will be sent all the same).
        """
        if not topic or WILDCARDS & set(topic) or "\0" in topic:
            raise Refused(f"{topic!r} is not a topic name")
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise Refused(f"a payload of {len(payload)} bytes; the limit is {MAX_PAYLOAD_BYTES}")
        listeners = self._book.publish(topic, payload, retain=retain, expiry_s=expiry_s)
        await self._keeper.saved()
        return listeners

    def _accept(self) -> Connection:
        present = self.counters.connections
        limit = self._settings.max_connections
        return Connection(
            self._house,
            next(self._numbers),
            surplus=present >= limit,
            turn_away=present >= limit + SURPLUS_CONNECTIONS,
            watch=self._watch,
        )

    def _tls_failed(self, reason: str) -> None:
        self.counters.tls_failed += 1
        self._faults.report(f"RFC 8446 section 6.2: TLS handshake failed: {reason}")

    def _watch(self, connection: Connection, *, gone: bool = False) -> None:
        if gone:
            self._connections.pop(connection.number, None)
            return
        self._connections[connection.number] = connection
        self._look(connection, self._loop.time())

    def _look(self, connection: Connection, now: float) -> None:
        """Check a connection and put it back in the heap; it is looked at seldom, not at every packet."""
        again = connection.check(now)
        if again is not None:
            connection.look_at = min(again, now + LOOK_AGAIN_S)
            heapq.heappush(self._watched, (connection.look_at, connection.number))

    async def _tick(self) -> None:
        expiry_at = self._loop.time() + EXPIRY_EVERY_S
        while True:
            await asyncio.sleep(self.tick_s)
            now = self._loop.time()
            while self._watched and self._watched[0][0] <= now:
                at, number = heapq.heappop(self._watched)
                connection = self._connections.get(number)
                if connection is not None and connection.look_at == at:
                    self._look(connection, now)
            self._wills.offer_due()
            self._faults.tell_untold()
            if now >= expiry_at:
                self._book.end_expired()
                expiry_at = now + EXPIRY_EVERY_S
