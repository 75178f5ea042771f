"""The plug board: joins ports and parts into one running gateway, and takes it down in order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI

from gateway.api.app import create_app
from gateway.api.context import FhirMeans, OwnWord, context_of
from gateway.api.fhir.exports import Exports
from gateway.api.security import webhook_authoriser
from gateway.api.texts import learn
from gateway.bluetooth import make_ble
from gateway.config import Settings
from gateway.contract import Clock, ConfigurationError, Notifier, Rule, RuleState
from gateway.model.frame import Frame, Transport
from gateway.model.registry import Registry, RegistryDocument
from gateway.model.synthetic import ADAPTER as DEAD_MAN
from gateway.model.synthetic import BUTTON, with_synthetic
from gateway.notifiers.elks import ElksPhone
from gateway.notifiers.operations import Operations
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_notifiers, load_rules, urgency
from gateway.preflight import examine
from gateway.rule_files import joined, own_rules
from gateway.service.auditor import Watched
from gateway.service.board import Board
from gateway.service.clock import SystemClock
from gateway.service.commander import LISTENER, Commander
from gateway.service.deadman import DeadMan
from gateway.service.dispatch import Dispatcher
from gateway.service.engine import Engine, Machinery, Observer
from gateway.service.intake import LaneIntake
from gateway.service.logins import hash_secret, new_password
from gateway.service.means import Means
from gateway.service.metrics import Metrics
from gateway.service.parts import cancel, fail
from gateway.service.reach import Reachability
from gateway.service.signing import Signer
from gateway.service.watching import Watching
from gateway.serving import ApiServer
from gateway.sip import make_dc09, make_sip
from gateway.stores.contacts import SqliteContacts
from gateway.stores.keys import grant_signer, push_key, signing_key
from gateway.stores.lock import hold
from gateway.stores.search import SqliteSearch
from gateway.stores.sessions import SqliteSessionStore
from gateway.stores.sqlite_journal import SqliteJournal
from gateway.stores.sqlite_store import SqliteStore
from gateway.tapping import make_taps
from gateway.transports.mqtt_client import BrokerClient
from gateway.transports.mqtt_listener import MqttListener
from gateway.transports.mqtt_listener.credentials import RegistryCredentials
from gateway.transports.mqtt_publish import Sender, publish
from gateway.transports.outward import by_ble, by_broker, by_listener
from gateway.transports.webhook import webhook_router

log = logging.getLogger(__name__)

REGISTRY_WITHIN_S = 300.0
"""So long the start waits until the registry is judged: every rule looks at every device of it."""
FINISH_WITHIN_S = 10.0
"""So long a stop waits until what was taken in is walked and written; of the rest nobody was told."""
EXPORTS = "fhir-exports"
"""Below the data folder: what bulk exports have written, for as long as it is kept."""
PHONES = {"46elks": ElksPhone}
"""Providers of SMS and calls, by their name in the configuration."""


class Gateway:
    """One process: everything that serves one data directory."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.adapters = load_adapters(settings.adapters)
        registry_file = examine(settings, [adapter.manifest.id for adapter in self.adapters])
        self.board = Board()
        self._lock = hold(settings.data_dir)
        self.store = SqliteStore(settings.data_dir / "state.db")
        self.search = SqliteSearch(settings.data_dir / "state.db")
        self.exports = Exports(settings.data_dir / EXPORTS, self.clock)
        self.journal = SqliteJournal(settings.data_dir / "state.db")
        self.intake = LaneIntake(queue_frames=settings.limits.queue_frames, urgent=urgency(self.adapters))
        self.contacts = SqliteContacts(settings.data_dir / "contacts.db")
        self.reach = Reachability(self.contacts, self.intake, self.clock)
        self.sip = make_sip(settings.sip, self.adapters, self.registry, self.intake, self.clock)
        self.means = self._make_means()
        self._operations = Operations(settings.channels.operations)
        notifiers = load_notifiers(self.means)
        self.dispatcher = self._make_dispatcher(notifiers)
        self.walk = walk = Walk(self.adapters, _rules(settings), tuple(notifiers))
        machinery = Machinery(walk, self.store, self.intake, self.clock)
        self.metrics = Metrics()
        self._password = new_password()
        self._dead_man = self._make_dead_man() if registry_file else None
        self._registry_file = self._words_of(registry_file.document) if registry_file else None
        del registry_file  # the engine reads its own from those words: a large one is not held twice
        observers: list[Observer] = [self.board, self.dispatcher, self.reach, self.metrics]
        observers += [self._dead_man] if self._dead_man else []
        self.engine = Engine(machinery, observers, batch=settings.limits.commit_batch)
        self.engine.measured = self.metrics.fsync.observe
        self._sessions = SqliteSessionStore(settings.data_dir / "sessions.db")
        self.listener = self._make_listener() if settings.listener.enabled else None
        self.brokers = [self._make_client(broker.name) for broker in settings.broker]
        self.ble = make_ble(settings.ble, settings.data_dir, self.intake, self.clock)
        self.taps, self.subscriptions = make_taps(settings, self._fhir_address, self.registry, self.clock)
        self.dc09 = make_dc09(settings.dc09, self.adapters, self.intake, self.clock)
        self.watching = Watching(settings.watch, self._watched(), self.metrics)
        self._commander = self._make_commander()
        observers += [self._commander, self.taps]
        self.server = ApiServer(settings.api)
        self._parts: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()

    @property
    def page(self) -> str:
        """The address of the staff page, once the gateway runs."""
        return self.server.page

    def _fhir_address(self) -> str:
        return f"{(self.settings.channels.public_url or self.page).rstrip('/')}/fhir"

    async def run(self, stop: asyncio.Event, ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """Serve until `stop` is set; then finish what was accepted and close.

        Raises what kept it from starting, or PartFailedError when a part ended by itself.
        """
        self.engine.load()
        if isinstance(self.clock, SystemClock):  # or a deadline would wait until the wall has caught up
            self.clock.not_before(self.engine.state.now)
        watch = asyncio.create_task(self._watch(stop), name="stop")
        try:
            async with AsyncExitStack() as stack:
                engine = self._part(self.engine.run(), "engine")
                stack.push_async_callback(self._finish, engine)
                stack.push_async_callback(self._cancel_parts, engine)
                ended = await self._serve_until_over(stack, ready)
                await self._stop_api()
        finally:
            await cancel([watch])
        if engine.done() and not engine.cancelled() and engine.exception() is not None:
            ended.append(engine)
        for part in ended:
            fail(part)

    async def _serve_until_over(
        self, stack: AsyncExitStack, ready: Callable[[], Awaitable[None]] | None
    ) -> list[asyncio.Task[None]]:
        """Start, and wait for the order to stop; return the parts that ended without it."""
        starting = asyncio.create_task(self._start(stack, ready), name="start")
        over = asyncio.create_task(self._over.wait(), name="over")
        try:
            await asyncio.wait([starting, over], return_when=asyncio.FIRST_COMPLETED)
            if not over.done():
                starting.result()
                await over
            return [part for part in self._parts if part.done()]
        finally:
            await cancel([starting, over])

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._over.set()

    def _part(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run a part; its end is the end of the gateway."""
        part = asyncio.create_task(work, name=name)
        part.add_done_callback(lambda _: self._over.set())
        self._parts.append(part)
        return part

    async def _start(self, stack: AsyncExitStack, ready: Callable[[], Awaitable[None]] | None) -> None:
        """Start the parts one after the other; what must be stopped goes on the stack."""
        self._part(self.dispatcher.run(), "dispatch")
        self._part(self.reach.run(), "reach")
        self._part(self._commander.run(), "commands")
        await self._take_registry()
        if self.listener is not None:
            stack.push_async_callback(self.listener.stop)
            await self._listen(self.listener)
        if self.sip is not None:
            stack.push_async_callback(self.sip.stop)
            await self._open("sip.host", self.settings.sip.host, self.sip.start())
        if self.dc09 is not None:
            stack.push_async_callback(self.dc09.stop)
            await self._open("dc09.host", self.settings.dc09.host, self.dc09.start())
        for client in self.brokers:
            self._part(client.run(), f"broker {client.name}")
        if self.ble is not None:
            self._part(self.ble.run(), self.ble.name)
        stack.enter_context(self.server.bind())
        self._part(self.taps.run(), "taps")
        self._part(self.server.serve(self._app()), "api")
        await self.server.started()
        self._part(self.watching.run(), "watch")
        if ready is not None:
            await ready()
        await self.taps.started()  # the last, for nobody waits for a receiver outside

    def registry(self) -> Registry:
        """Return the registry as last committed."""
        return self.board.registry

    async def _take_registry(self) -> None:
        """Journal the registry file's content, so that rules arm what a new device or a new rule needs."""
        if self._registry_file is None:
            return
        words, self._registry_file = self._registry_file, None
        frame = Frame(Transport.REGISTRY, "registry", words, self.clock.now(), ingress="file")
        position = await self.intake.accept(frame, REGISTRY_WITHIN_S)
        if refusal := await self.board.settled(position, timeout_s=0):
            raise ConfigurationError(f"{self.settings.registry}: {refusal}")

    def _words_of(self, document: RegistryDocument) -> bytes:
        """Return the registry as JSON, with the synthetic alarm's own tenant where that alarm is sent."""
        if self._dead_man is not None:
            document = with_synthetic(document, hash_secret(self._password))
        return document.to_json()

    def _watched(self) -> Watched:
        return Watched(
            self.engine,
            self.intake,
            self.board,
            self.store,
            self.clock,
            self._ways_in,
            self._dead_man,
            self.dispatcher.report,
            self.taps.report,
        )

    def _make_dispatcher(self, notifiers: Mapping[str, Notifier]) -> Dispatcher:
        made = Dispatcher(
            notifiers,
            self.intake,
            self.clock,
            self.board.alert,
            told=self._operations.channel,
        )
        self.reach.resting = made.resting
        return made

    def _make_means(self) -> Means:
        folder, channels = self.settings.data_dir, self.settings.channels
        return Means(
            settings=channels,
            language=self.settings.api.language,
            board=self.board,
            clock=self.clock,
            intake=self.intake,
            contacts=self.contacts,
            reach=self.reach,
            signer=Signer(signing_key(folder)),
            push_key=push_key(folder) if channels.webpush else None,
            phone=PHONES[channels.phone.provider](channels.phone) if channels.phone else None,
            messenger=self.sip,
        )

    def _make_commander(self) -> Commander:
        """Return what sends commands and configurations, by every way that devices are reached by."""
        ways = {f"broker:{client.name}": by_broker(client) for client in self.brokers}
        if self.listener is not None:
            ways[LISTENER] = by_listener(self.listener)
        if self.ble is not None:
            ways[self.ble.name] = by_ble(self.ble)
        granter = grant_signer(self.settings.data_dir)
        made = Commander(ways, self.board, self.walk.manifests, granter, self.intake, self.clock)
        if self.listener is not None:
            self.listener.on_acknowledged(made.acknowledged)
        if self.ble is not None:
            self.ble.on_acknowledged(made.acknowledged)
        return made

    def _make_dead_man(self) -> DeadMan | None:
        """Return the synthetic alarm's sender, where a device of ours can reach our own listener."""
        settings, adapters = self.settings, {adapter.manifest.id for adapter in self.adapters}
        tls = settings.listener.tls
        reachable = settings.listener.enabled and not (tls is not None and tls.require_client)
        if not (settings.watch.round_trip and reachable and DEAD_MAN in adapters):
            return None
        every_s = settings.watch.every_s
        return DeadMan(self._publish, self.intake, self.board, self.clock, every_s=every_s)

    async def _publish(self, topic: str, payload: bytes) -> None:
        """Send one message to our own listener, as the synthetic device."""
        listener = self.settings.listener
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(listener.host, listener.host)  # noqa: S104 - where it listens
        port = self.listener.port if self.listener is not None else listener.port
        certificate = listener.tls.certificate if listener.tls else None
        await publish(Sender(host, port, BUTTON, self._password, certificate), topic, payload)

    def _make_listener(self) -> MqttListener:
        return MqttListener(
            self.settings.listener,
            self.intake,
            RegistryCredentials(self.registry),
            self.walk.manifests,
            self._sessions,
            self.clock,
        )

    def _make_client(self, name: str) -> BrokerClient:
        broker = next(broker for broker in self.settings.broker if broker.name == name)
        topics = broker.topics or tuple(topic for a in self.adapters for topic in a.manifest.topics)
        return BrokerClient(broker, topics, self.intake, self.clock)

    def _ways_in(self) -> dict[str, Any]:
        ways: dict[str, Any] = {client.name: asdict(client.standing) for client in self.brokers}
        if self.listener is not None:
            ways["listener"] = asdict(self.listener.counters)
        if self.ble is not None:
            ways[self.ble.name] = asdict(self.ble.standing)
        if self.sip is not None:
            ways["sip"] = asdict(self.sip.standing)
        if self.dc09 is not None:
            ways["dc09"] = asdict(self.dc09.standing)
        return ways

    async def _listen(self, listener: MqttListener) -> None:
        try:
            await listener.start()
        except OSError as error:
            where = self.settings.listener
            found = f"listener.host, listener.port: found {where.host}:{where.port}: {error.strerror}"
            allowed = "an address of this machine and a free port"
            raise ConfigurationError(f"{found}; allowed: {allowed}") from error

    async def _open(self, key: str, host: str, opening: Awaitable[None]) -> None:
        """Open the sockets of a way in; ConfigurationError says what the system has against them."""
        try:
            await opening
        except OSError as error:
            found = f"{key}: found {host}: {error.strerror or error}"
            raise ConfigurationError(
                f"{found}; allowed: an address of this machine and free ports"
            ) from error

    def _app(self) -> FastAPI:
        app = create_app(
            self.settings,
            self.means,
            self.store,
            self.journal,
            OwnWord(self.watching.health.report, self.metrics.text),
        )
        context_of(app).walk, context_of(app).taps = self.walk, self.taps
        context_of(app).fhir = FhirMeans(self.search, self.exports, self.subscriptions)
        app.include_router(webhook_router(self.intake, self.clock, webhook_authoriser(self.settings)))
        return app

    async def _stop_api(self) -> None:
        """Let the API answer what was asked, and say goodbye to open pages."""
        self.board.close()
        await self.server.stop(next((part for part in self._parts if part.get_name() == "api"), None))

    async def _cancel_parts(self, engine: asyncio.Task[None]) -> None:
        await cancel([part for part in self._parts if part is not engine])

    async def _finish(self, engine: asyncio.Task[None]) -> None:
        """Walk and write what waits, then close the files; a disk that refuses does not hold us."""
        self.engine.stop()
        await asyncio.wait([engine], timeout=FINISH_WITHIN_S)
        if not engine.done():
            reason = self.engine.failing or "the disk is too slow"
            log.critical("stopping with unwritten frames, which nobody was told are safe: %s", reason)
            await cancel([engine])
        await self._operations.close()
        self.journal.close()
        await self.exports.close()
        self.search.close()
        self.store.close()
        self._sessions.close()
        if self.ble is not None:
            self.ble.close()
        self.contacts.close()
        self.subscriptions.close()
        self.taps.cursors.close()
        self._lock.close()


def _rules(settings: Settings) -> list[Rule]:
    """Return the rules of this gateway, the municipality's own among them; pages learn the words of those."""
    own = own_rules(settings.rules_dir, examined=True)
    learn(joined(own))
    rules = load_rules(own, settings.active_rules)
    return [rule for rule in rules if settings.shadow_rules or rule.state is not RuleState.SHADOW]
