"""House: the plug board of an edge: its ways in, its queue, its way to the centre, and what watches them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack

from gateway.bluetooth import make_ble
from gateway.contract import Adapter, Clock, ConfigurationError, Refused, StoreUnavailableError, VakaError
from gateway.edge import words
from gateway.edge.clock import ASK_EVERY_S, Discipline
from gateway.edge.file import open_queue
from gateway.edge.link import Link
from gateway.edge.queue import Queue, Reading
from gateway.edge.remote import Remote
from gateway.edge.settings import EdgeSettings
from gateway.edge.uplink import Uplink
from gateway.edge.watchdog import Watchdog
from gateway.model.frame import Frame, Transport
from gateway.model.organisation import Tenant
from gateway.model.registry import Device, Registry, RegistryDocument
from gateway.model.vocabulary import HealthValues
from gateway.pipeline.decode import AdapterTable, decode
from gateway.plugins import load_adapters, urgency
from gateway.service.clock import SystemClock
from gateway.stores.lock import hold
from gateway.stores.sessions import SqliteSessionStore
from gateway.transports.ble import BleTransport, Radio
from gateway.transports.mqtt_listener import MqttListener
from gateway.transports.mqtt_listener.credentials import RegistryCredentials

log = logging.getLogger(__name__)

FINISH_WITHIN_S = 10.0
"""So long a stop waits until what was heard is on the disk; of the rest nobody was told."""
LOOK_EVERY_S = 10.0
"""How often the edge examines itself where systemd does not ask."""
DEAF_FOR_S = 600.0
"""A radio that has not worked for so long may be helped by a new start; before that the other ways go on."""
OVERFLOW = "queue_overflow"
BROKEN = "queue_broken"
CONFIG = "config"
"""The fact in the queue's file that holds the configuration as the centre set it."""


class EdgeFailedError(VakaError):
    """A part of the edge ended by itself, so the edge has stopped; systemd starts it again."""


class Edge:
    """One process: everything that serves one home."""

    def __init__(
        self,
        settings: EdgeSettings,
        *,
        radio: Radio | None = None,
        clock: Clock | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.discipline = Discipline(settings.clock.source, settings.clock.max_error_s)
        self.adapters = load_adapters(settings.adapters)
        registry = local_registry(settings, self.adapters)
        self._lock = hold(settings.data_dir)
        file, self._broken = open_queue(settings.data_dir / "queue.db")
        reading = Reading(device_of(AdapterTable(self.adapters)), urgency(self.adapters))
        self.remote = Remote(settings, file.facts.get(CONFIG, ""))
        self.queue = Queue(file, self.remote.limits(), reading, self.clock, self.discipline)
        self.uplink = Uplink(settings, self.queue, connected=self._tell, configured=self._configure)
        self._sessions = SqliteSessionStore(settings.data_dir / "sessions.db")
        self.listener = self._make_listener(registry) if settings.listener.enabled else None
        self._radio, self._retuned = radio, asyncio.Event()
        self.ble = self._make_ble()
        self._watchdog = watchdog or Watchdog()
        self._told_dropped = self.queue.counts.dropped
        self._over = asyncio.Event()
        self._parts: list[asyncio.Task[None]] = []
        self._keeping: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event, ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """Serve until `stop` is set; raises EdgeFailedError when a part ended by itself."""
        watching = asyncio.create_task(self._watch(stop), name="stop")
        try:
            async with AsyncExitStack() as stack:
                queue = self._part(self.queue.run(), "queue")
                stack.push_async_callback(self._finish, queue)
                if self.listener is not None:
                    stack.push_async_callback(self.listener.stop)
                    await self._listen(self.listener)
                stack.push_async_callback(self._leave, queue)
                self._begin()
                self._watchdog.ready()
                if ready is not None:
                    await ready()
                await self._over.wait()
                ended = [part for part in self._parts if part.done()]
                self._watchdog.stopping()
        finally:
            watching.cancel()
        for part in ended:
            _fail(part)

    def _begin(self) -> None:
        """Start what serves."""
        if self._broken:
            self._fault(BROKEN, {})
        self._part(self.uplink.run(), "uplink")
        self._part(self._beat(), "heartbeat")
        self._part(self._examine(), "watchdog")
        self._part(self._discipline(), "clock")
        if self.ble is not None:
            self._part(self._hear(self.ble.name), self.ble.name)

    # --- what the edge says of itself ---

    def _tell(self, link: Link) -> None:
        """Say how the edge is, at each connection and each heartbeat."""
        now, synced = self.clock.now(), self.discipline.synced
        link.say("status", words.status(now, synced=synced, revision=self.remote.revision), retain=True)
        link.say("telemetry", words.heartbeat(now, self._health(link), synced=synced))

    def _health(self, link: Link) -> HealthValues:
        counts, queue = self.queue.counts, self.queue
        details: dict[str, str | int | float | bool] = {
            "queued": len(queue.backlog),
            "queued_bytes": queue.backlog.bytes,
            "dropped": counts.dropped,
            "dropped_calls": counts.calls,
            "heard": counts.heard,
            "forwarded": counts.safe,
            "connections": self.uplink.counters.connections,
            "failovers": self.uplink.counters.failovers,
        }
        if queue.oldest_s is not None:
            details["oldest_s"] = round(queue.oldest_s, 1)
        if self.discipline.offset_s is not None:
            details["clock_offset_s"] = round(self.discipline.offset_s, 6)
        if trouble := self._trouble():
            details["trouble"] = trouble[:200]
        return HealthValues(link=link.settings.name, firmware=words.FIRMWARE, details=details)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.remote.heartbeat_s)
            if self.uplink.link is not None:
                self._tell(self.uplink.link)
            counts = self.queue.counts
            if counts.dropped > self._told_dropped:
                self._told_dropped = counts.dropped
                self._fault(OVERFLOW, {"dropped": counts.dropped, "dropped_calls": counts.calls})

    def _fault(self, code: str, details: dict[str, int]) -> None:
        """Tell the centre by an event, which waits in the queue like any other."""
        identity, now = self.settings.identity, self.clock.now()
        payload = words.fault(now, code, {**details}, synced=self.discipline.synced)
        topic = words.topic(identity.native_id, "event")
        self.queue.offer(Frame(Transport.MQTT, topic, payload, now, "edge", identity.username))

    # --- what the centre sets ---

    def _configure(self, payload: bytes) -> None:
        """Take up a configuration; its revision is told once it is on the disk."""
        try:
            remote = self.remote.offered(payload)
        except Refused as refusal:
            log.error("the centre set what cannot be applied; the present configuration goes on: %s", refusal)  # noqa: TRY400 - one line says it
            return
        if remote.config != self.remote.config:
            task = asyncio.create_task(self._keep(remote, payload.decode()), name="configuration")
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)

    async def _keep(self, remote: Remote, text: str) -> None:
        try:
            await self.queue.keep(CONFIG, text)
        except StoreUnavailableError as error:
            log.warning("a configuration could not be kept, and is not taken up: %s", error)
            return
        retuned = remote.radio() != self.remote.radio()
        self.remote = remote
        self.queue.backlog.limits = remote.limits()
        log.info("configuration %s taken up", remote.revision)
        if retuned:
            self._retuned.set()
        if self.uplink.link is not None:
            self._tell(self.uplink.link)

    async def _hear(self, name: str) -> None:
        """Run the radio, and begin anew with other settings when the centre sets them."""
        while self.ble is not None:
            hearing = asyncio.create_task(self.ble.run(), name=name)
            retuned = asyncio.create_task(self._retuned.wait(), name="retuned")
            try:
                await asyncio.wait((hearing, retuned), return_when=asyncio.FIRST_COMPLETED)
            finally:
                retuned.cancel()
                hearing.cancel()
                await asyncio.wait((hearing, retuned))
            if not self._retuned.is_set():
                hearing.result()
                return
            self._retuned.clear()
            self.ble.close()
            self.ble = self._make_ble()

    def _make_ble(self) -> BleTransport | None:
        return make_ble(self.remote.radio(), self.settings.data_dir, self.queue, self.clock, self._radio)

    # --- what watches ---

    def _trouble(self) -> str:
        """Return what keeps the edge from keeping or hearing, "" while all is well."""
        deaf = self.ble.standing.trouble if self.ble is not None and self._deaf_s() else ""
        return self.queue.failing or deaf

    def _deaf_s(self) -> float:
        """Return for how long the radio has not heard, 0 while it does, or where there is none."""
        lost_since = self.ble.standing.lost_since if self.ble is not None else None
        return 0.0 if lost_since is None else (self.clock.now() - lost_since).total_seconds()

    async def _examine(self) -> None:
        """Tell systemd that the edge is well, but only after the disk took a write and the radio is alive."""
        while True:
            try:
                await self.queue.prove()
            except StoreUnavailableError as error:
                log.critical("the disk does not take a write: %s", error)
            else:
                if not self.queue.failing and self._deaf_s() < DEAF_FOR_S:
                    where = self.uplink.name or "no link"
                    self._watchdog.well(f"{len(self.queue.backlog)} frames wait, {where}")
            await asyncio.sleep(self._watchdog.every_s or LOOK_EVERY_S)

    async def _discipline(self) -> None:
        while True:
            await asyncio.sleep(ASK_EVERY_S)
            self.discipline.look()

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._over.set()

    # --- parts ---

    def _part(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run a part; its end is the end of the edge."""
        part = asyncio.create_task(work, name=name)
        part.add_done_callback(lambda _: self._over.set())
        self._parts.append(part)
        return part

    def _make_listener(self, registry: Registry) -> MqttListener:
        manifests = {adapter.manifest.id: adapter.manifest for adapter in self.adapters}
        check = RegistryCredentials(lambda: registry)
        return MqttListener(self.settings.listener, self.queue, check, manifests, self._sessions, self.clock)

    async def _listen(self, listener: MqttListener) -> None:
        try:
            await listener.start()
        except OSError as error:
            where = self.settings.listener
            found = f"listener.host, listener.port: found {where.host}:{where.port}: {error.strerror}"
            raise ConfigurationError(
                f"{found}; allowed: an address of this machine and a free port"
            ) from error

    async def _leave(self, queue: asyncio.Task[None]) -> None:
        """Stop hearing and sending, and say so."""
        others = [part for part in self._parts if part is not queue]
        for part in others:
            part.cancel()
        if others:
            await asyncio.wait(others, timeout=FINISH_WITHIN_S)
        now, synced = self.clock.now(), self.discipline.synced
        farewell = words.status(now, synced=synced, revision=self.remote.revision, stopped=True)
        await self.uplink.leave(farewell)

    async def _finish(self, queue: asyncio.Task[None]) -> None:
        """Write what was heard, then close the files; a disk that refuses does not hold us."""
        self.queue.stop()
        await asyncio.wait([queue], timeout=FINISH_WITHIN_S)
        if not queue.done():
            log.critical(
                "stopping with frames that are not on the disk; their senders were not told they are"
            )
            queue.cancel()
            await asyncio.wait([queue], timeout=1)
        if self.ble is not None:
            self.ble.close()
        self._sessions.close()
        self._lock.close()


def device_of(table: AdapterTable) -> Callable[[Frame], str]:
    """Return how the device is found whose order a frame belongs to: by its adapter, its sender, its channel.

    A message of several devices (a bridge's list) is kept in order with the first that it names.
    """

    def find(frame: Frame) -> str:
        decoded = decode(frame, table)
        names = [item.native_id for item in decoded.items]
        native = next((name for name in names if name), decoded.native_id)
        return f"{decoded.adapter} {native}" if native else frame.source or frame.channel

    return find


def local_registry(settings: EdgeSettings, adapters: Sequence[Adapter]) -> Registry:
    """Return the devices that may connect to the edge's own listener; ConfigurationError for wrong ones."""
    tenant, known = settings.identity.tenant, {adapter.manifest.id for adapter in adapters}
    for one in settings.device:
        if one.adapter not in known:
            allowed = ", ".join(sorted(known))
            raise ConfigurationError(f"device.adapter: found {one.adapter!r}; allowed: {allowed}")
    devices = [Device(tenant=tenant, **one.model_dump()) for one in settings.device]
    document = RegistryDocument(tenant=(Tenant(id=tenant, name=tenant),), device=tuple(devices))
    try:
        return Registry(document)
    except ValueError as error:
        raise ConfigurationError(f"device: {error}") from error


def _fail(part: asyncio.Task[None]) -> None:
    """Raise for a part that ended by itself; the traceback goes to the log."""
    error = None if part.cancelled() else part.exception()
    if error is not None:
        log.critical("%s failed", part.get_name(), exc_info=error)
    what = f"failed with {type(error).__name__}: {error}" if error else "ended by itself"
    raise EdgeFailedError(f"{part.get_name()}: {what}; the edge has stopped")
