"""The plug board: joins ports and parts into one running gateway, and takes it down in order."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, nullcontext, suppress
from dataclasses import asdict
from typing import Any

import uvicorn
from fastapi import FastAPI

from gateway.api.app import create_app
from gateway.api.security import webhook_authoriser
from gateway.config import Settings, load_registry
from gateway.contract import Clock, ConfigurationError
from gateway.model.frame import Frame, Transport
from gateway.model.registry import Registry
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_notifiers, load_rules, urgency
from gateway.service.board import Board
from gateway.service.clock import SystemClock
from gateway.service.dispatch import Dispatcher
from gateway.service.engine import Engine, Machinery
from gateway.service.health import Health
from gateway.service.intake import JournalIntake
from gateway.stores.lock import hold
from gateway.stores.sessions import SqliteSessionStore
from gateway.stores.sqlite_journal import SqliteJournal
from gateway.stores.sqlite_store import SqliteStore
from gateway.transports.mqtt_client import BrokerClient
from gateway.transports.mqtt_listener import MqttListener
from gateway.transports.mqtt_listener.credentials import RegistryCredentials
from gateway.transports.webhook import webhook_router

log = logging.getLogger(__name__)

REGISTRY_WITHIN_S = 4.0
"""So long the start waits for the registry to be walked; behind a backlog the last one serves meanwhile."""


class Gateway:
    """One process: everything that serves one data directory."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.adapters = load_adapters(settings.adapters)
        self.board = Board()
        self._lock = hold(settings.data_dir)
        self.journal = SqliteJournal(settings.data_dir / "journal.db")
        self.store = SqliteStore(settings.data_dir / "state.db")
        self.intake = JournalIntake(
            self.journal,
            batch=settings.limits.journal_batch,
            queue_frames=settings.limits.queue_frames,
            urgent=urgency(self.adapters),
        )
        notifiers = load_notifiers(self.board)
        self.dispatcher = Dispatcher(notifiers, self.intake, self.clock, self.board.alert)
        walk = Walk(self.adapters, load_rules(), tuple(notifiers))
        machinery = Machinery(walk, self.store, self.journal, self.intake, self.clock)
        self.engine = Engine(machinery, (self.board, self.dispatcher), batch=settings.limits.engine_batch)
        self.listener = self._make_listener() if settings.listener.enabled else None
        self.brokers = [self._make_client(broker.name) for broker in settings.broker]
        self.health = Health(self.engine, self.intake, self.board, self.clock, self._ways_in)
        self.server: uvicorn.Server | None = None
        self._socket: socket.socket | None = None

    @property
    def page(self) -> str:
        """The address of the staff page, once the gateway runs."""
        api = self.settings.api
        port = self._socket.getsockname()[1] if self._socket else api.port
        host = f"[{api.host}]" if ":" in api.host else api.host
        return f"{'https' if api.tls else 'http'}://{host}:{port}/"

    async def run(self, stop: asyncio.Event, ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """Serve until `stop` is set or a part fails; then finish what was accepted and close."""
        self.engine.load()
        async with AsyncExitStack() as stack:
            engine = asyncio.create_task(self.engine.run(), name="engine")
            stack.push_async_callback(self._finish, engine)
            tasks = [
                asyncio.create_task(self.intake.run(self.engine.room), name="intake"),
                asyncio.create_task(self.dispatcher.run(), name="dispatch"),
            ]
            stack.push_async_callback(_cancel, tasks)
            await self._take_registry()
            if self.listener is not None:
                await self._listen(self.listener)
                stack.push_async_callback(self.listener.stop)
            tasks += [
                asyncio.create_task(client.run(), name=f"broker {client.name}") for client in self.brokers
            ]
            self._socket = stack.enter_context(self._bind())
            tasks.append(asyncio.create_task(self._serve(self._socket), name="api"))
            await self._started()
            if ready is not None:
                await ready()
            stopping = asyncio.create_task(stop.wait())
            done, _ = await asyncio.wait([engine, *tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            await self._stop_api(tasks[-1])
        for task in done - {stopping}:
            task.result()

    def registry(self) -> Registry:
        """Return the registry as last committed."""
        return self.board.registry

    async def _take_registry(self) -> None:
        """Journal the registry file's content, so that rules arm what a new device or a new rule needs."""
        if self.settings.registry is None:
            return
        document = load_registry(self.settings.registry).document
        payload = document.model_dump_json(exclude_defaults=True).encode()
        frame = Frame(Transport.REGISTRY, "registry", payload, self.clock.now(), ingress="file")
        position = await self.intake.accept(frame)
        try:
            refusal = await self.board.settled(position, timeout_s=REGISTRY_WITHIN_S)
        except TimeoutError:
            log.warning("the registry waits behind %d journalled frames", self.engine.lag)
            return
        if refusal:
            raise ConfigurationError(f"{self.settings.registry}: {refusal}")

    def _make_listener(self) -> MqttListener:
        manifests = {adapter.manifest.id: adapter.manifest for adapter in self.adapters}
        return MqttListener(
            self.settings.listener,
            self.intake,
            RegistryCredentials(self.registry),
            manifests,
            SqliteSessionStore(self.settings.data_dir / "sessions.db"),
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
        return ways

    async def _listen(self, listener: MqttListener) -> None:
        try:
            await listener.start()
        except OSError as error:
            where = self.settings.listener
            found = f"listener.host, listener.port: found {where.host}:{where.port}: {error.strerror}"
            allowed = "an address of this machine and a free port"
            raise ConfigurationError(f"{found}; allowed: {allowed}") from error

    def _bind(self) -> socket.socket:
        api = self.settings.api
        family = socket.AF_INET6 if ":" in api.host else socket.AF_INET
        try:
            return socket.create_server((api.host, api.port), family=family, backlog=1024)
        except OSError as error:
            found = f"api.host, api.port: found {api.host}:{api.port}: {error.strerror}"
            raise ConfigurationError(
                f"{found}; allowed: an address of this machine and a free port"
            ) from error

    def _app(self) -> FastAPI:
        app = create_app(
            self.settings, self.board, self.store, self.journal, self.intake, self.clock, self.health.report
        )
        app.include_router(webhook_router(self.intake, self.clock, webhook_authoriser(self.settings)))
        return app

    async def _serve(self, listening: socket.socket) -> None:
        api = self.settings.api
        config = uvicorn.Config(
            self._app(),
            host=api.host,
            port=api.port,
            log_config=None,
            access_log=False,
            ssl_certfile=api.tls.certificate if api.tls else None,
            ssl_keyfile=api.tls.key if api.tls else None,
            timeout_graceful_shutdown=2,
        )
        self.server = uvicorn.Server(config)
        self.server.capture_signals = nullcontext  # type: ignore[method-assign,assignment] # signals are the command's
        await self.server.serve(sockets=[listening])

    async def _started(self) -> None:
        while self.server is None or not self.server.started:  # noqa: ASYNC110 - uvicorn offers no event for it
            await asyncio.sleep(0.01)

    async def _stop_api(self, task: asyncio.Task[None]) -> None:
        self.board.close()
        if self.server is not None:
            self.server.should_exit = True
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 5)

    async def _finish(self, engine: asyncio.Task[None]) -> None:
        """Write and walk what was accepted, then close the files."""
        await self.intake.drain()
        self.engine.stop()
        await asyncio.wait([engine])
        self.journal.close()
        self.store.close()
        self._lock.close()


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
