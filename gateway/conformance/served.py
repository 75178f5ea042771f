"""The kit's own counterpart: the gateway's real listener, engine and store, for one device, in a folder."""

import asyncio
import contextlib
from pathlib import Path

from gateway.config import ListenerSettings
from gateway.conformance.declaration import Declaration
from gateway.conformance.probe import Address
from gateway.contract import Clock
from gateway.model.frame import Frame, Transport
from gateway.model.registry import Device, Registry, RegistryDocument, Tenant
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, urgency
from gateway.service.engine import Engine, Machinery
from gateway.service.intake import LaneIntake
from gateway.service.logins import hash_secret
from gateway.stores.sessions import SqliteSessionStore
from gateway.stores.sqlite_store import SqliteStore
from gateway.transports.mqtt_listener import MqttListener, RegistryCredentials

QUEUE_FRAMES = 10_000
BATCH = 64
REGISTRY_WITHIN_S = 30.0
ADAPTER = "vaka"


class Served:
    """Acknowledges when the frame is on disk and was judged, keeps sessions and retained configuration.

    Without a declared password anybody on this machine may connect: the probe alone does.
    """

    def __init__(self, declaration: Declaration, folder: Path, clock: Clock) -> None:
        self._declaration, self._folder, self._clock = declaration, folder, clock
        self._document = _registry(declaration)
        self._adapters = load_adapters([ADAPTER])
        self._retained: dict[str, bytes] = {}
        self._listener: MqttListener | None = None
        self._engine: Engine | None = None
        self._running: asyncio.Task[None] | None = None
        self._store: SqliteStore | None = None

    @property
    def address(self) -> Address:
        """Where it listens now; port 0 while it does not."""
        return Address("127.0.0.1", self._listener.port if self._listener is not None else 0)

    async def start(self, *, forgetting: bool = False) -> None:
        """Open the store, run the engine, listen; raises OSError or StoreUnavailableError."""
        if forgetting:
            for file in self._folder.glob("sessions.db*"):
                file.unlink()
        self._store = SqliteStore(self._folder / "state.db")
        intake = LaneIntake(queue_frames=QUEUE_FRAMES, urgent=urgency(self._adapters))
        walk = Walk(self._adapters, (), ())
        loop = asyncio.get_running_loop()
        self._engine = Engine(
            Machinery(walk, self._store, intake, self._clock), (), batch=BATCH, stopwatch=loop.time
        )
        self._engine.load()
        self._running = loop.create_task(self._engine.run(), name="conformance engine")
        words = self._document.to_json()
        registry = Frame(Transport.REGISTRY, "registry", words, self._clock.now(), ingress="conformance")
        await intake.accept(registry, REGISTRY_WITHIN_S)
        known = Registry(self._document)
        self._listener = MqttListener(
            ListenerSettings(port=0, anonymous=not self._declaration.connection.username),
            intake,
            RegistryCredentials(lambda: known),
            {adapter.manifest.id: adapter.manifest for adapter in self._adapters},
            SqliteSessionStore(self._folder / "sessions.db"),
            self._clock,
        )
        await self._listener.start()
        if forgetting:
            for topic, payload in self._retained.items():
                await self._listener.publish(topic, payload, retain=True)

    async def stop(self) -> None:
        """Stop listening, commit what was taken, close the files."""
        if self._listener is not None:
            await self._listener.stop()
            self._listener = None
        if self._engine is not None and self._running is not None:
            self._engine.stop()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
            self._engine = self._running = None
        if self._store is not None:
            self._store.close()
            self._store = None

    async def publish(self, branch: str, payload: bytes, *, retain: bool) -> None:
        """Send on one of the device's branches, at once or when it is back; raises Refused."""
        topic = self._declaration.connection.topic(branch)
        if retain:
            self._retained[topic] = payload
        if self._listener is not None:
            await self._listener.publish(topic, payload, retain=retain)


def _registry(declaration: Declaration) -> RegistryDocument:
    connection = declaration.connection
    password = connection.password.get_secret_value()
    device = Device(
        id=connection.username or connection.native_id,
        tenant=connection.tenant,
        adapter=ADAPTER,
        native_id=connection.native_id,
        kind=declaration.device.kind,
        model=declaration.device.product,
        secret=hash_secret(password) if password else None,
    )
    return RegistryDocument(tenant=(Tenant(id=connection.tenant, name="Conformance"),), device=(device,))
