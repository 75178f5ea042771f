"""Commander: sends what commits say must go to a device, and brings the proofs back through the journal."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime
from functools import partial
from typing import Protocol

import msgspec

from gateway.contract import Changes, Clock, Intake, Manifest, Refused, Snapshot, StoreUnavailableError
from gateway.model.equipment import Order, OrderState, Twin
from gateway.model.frame import Frame, Transport
from gateway.model.registry import Device
from gateway.model.status import DeviceStatus
from gateway.model.vocabulary import DeviceKind
from gateway.model.wire import Command, Config, Grant, GrantKey
from gateway.pipeline.equipment import COMMAND, TWIN

log = logging.getLogger(__name__)

AGAIN_S = 1.0
"""So long after a way that is closed, or a device that does not listen, it is tried again."""
LISTENER = "listener"
UNSENT = frozenset({OrderState.REQUESTED, OrderState.SENT})
"""After a start these go out again: the device knows a command by its id, and does it once."""
LOCKED_AWAY = frozenset({DeviceKind.LOCK, DeviceKind.CAMERA})
"""Kinds of device whose commands need a grant, so that they must know our key."""
GRANTED = frozenset({"unlock", "supervise"})

Publish = Callable[[str, bytes, bool, float | None], Awaitable[int]]
"""Topic, payload, retained, seconds until it expires; returns how many will have it, 0 for nobody yet."""


class Granter(Protocol):
    """Signs grants with the gateway's own key."""

    @property
    def key(self) -> GrantKey:
        """The public key."""
        ...

    def sign(self, grant: Grant) -> str:
        """Return the grant as a JWS."""
        ...


class House(Protocol):
    """What was last committed, as far as the way to a device needs it."""

    def device(self, name: str) -> Device | None:
        """Return a registered device."""
        ...

    def status(self, name: str) -> DeviceStatus | None:
        """Return the latest word of a device."""
        ...


class Commander:
    """One task for each thing that must still go out; a restart begins them again from what was committed.

    A command is sent until a way takes it or its time is over; after that never. A configuration is
    retained, and sent until every way has it.
    """

    def __init__(  # noqa: PLR0917 - the ports it joins, each once
        self,
        ways: Mapping[str, Publish],
        house: House,
        manifests: Mapping[str, Manifest],
        granter: Granter,
        intake: Intake,
        clock: Clock,
    ) -> None:
        self._ways = ways
        self._house = house
        self._manifests = manifests
        self._granter = granter
        self._intake = intake
        self._clock = clock
        self._new = asyncio.Event()
        self._orders: dict[str, Order] = {}
        self._twins: dict[str, Twin] = {}
        self._under_way: set[str] = set()

    def load(self, snapshot: Snapshot) -> None:
        """Take up what a stop left unsent."""
        for key, body in snapshot.records.items():
            self._take(key, body, UNSENT)

    def publish(self, changes: Changes, _cursor: int) -> None:
        """Take up what a commit says must go out."""
        for key, body in changes.records.items():
            self._take(key, body, frozenset({OrderState.REQUESTED}))

    def acknowledged(self, topic: str, payload: bytes) -> None:
        """A device has a message of ours: a command is delivered by that."""
        if topic.rpartition("/")[2] != COMMAND:
            return  # a configuration: what the device has of it, its status tells
        try:
            order_id = msgspec.json.decode(payload, type=Command).id
        except msgspec.DecodeError:
            return
        self._intake.offer(self._receipt(f"command/{order_id}/delivered"))

    async def run(self) -> None:
        """Send what must go out, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._new.wait()
                self._new.clear()
                orders, self._orders = self._orders, {}
                for name, order in orders.items():
                    self._begin(group, f"{COMMAND} {name}", partial(self._send, order))
                for name in list(self._twins):
                    self._begin(group, f"{TWIN} {name}", partial(self._configure, name))

    def _take(self, key: str, body: bytes | None, wanted: frozenset[OrderState]) -> None:
        kind, _, name = key.partition("\0")
        if kind == COMMAND and body is not None:
            order = msgspec.json.decode(body, type=Order)
            if order.state in wanted:
                self._orders[name] = order
                self._new.set()
        elif kind == TWIN and body is not None:
            twin = msgspec.json.decode(body, type=Twin)
            if twin.desired is not None and twin.published != twin.desired.revision:
                self._twins[name] = twin
                self._new.set()
            else:
                self._twins.pop(name, None)

    def _begin(
        self, group: asyncio.TaskGroup, name: str, work: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        """Begin a piece of work, unless it is under way and will see what is new by itself."""
        if name not in self._under_way:
            self._under_way.add(name)
            group.create_task(self._do(name, work), name=name)

    async def _do(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await work()
        finally:
            self._under_way.discard(name)

    async def _send(self, order: Order) -> None:
        """Send a command by the way that its device was last heard by, until its time is over."""
        while (left_s := (order.expires_at - self._clock.now()).total_seconds()) > 0:
            device = self._house.device(order.device)
            manifest = self._manifests.get(device.adapter) if device else None
            if device is None or manifest is None or not manifest.command_topic:
                await self._tell(f"command/{order.id}/failed", b"the device or its adapter is gone")
                return
            topic = manifest.command_topic.replace("{native_id}", device.native_id)
            payload = msgspec.json.encode(self._command(order, device))
            for way in self._ways_to(device.id):
                if await self._put(way, topic, payload, left_s):
                    await self._tell(f"command/{order.id}/sent", way.encode())
                    return
            await asyncio.sleep(min(AGAIN_S, left_s))

    async def _configure(self, name: str) -> None:
        """Publish the newest desired configuration of a device by every way there is, until all have it."""
        while (twin := self._twins.get(name)) is not None and twin.desired is not None:
            device = self._house.device(name)
            manifest = self._manifests.get(device.adapter) if device else None
            if device is None or manifest is None or not manifest.config_topic:
                self._twins.pop(name, None)
                return
            topic = manifest.config_topic.replace("{native_id}", device.native_id)
            payload = msgspec.json.encode(self._config(twin.desired, device))
            done = [await self._put(way, topic, payload, None, retain=True) for way in self._ways]
            if done and all(done):
                if self._twins.get(name) is twin:
                    self._twins.pop(name)
                    await self._tell(f"twin/published/{name}", str(twin.desired.revision).encode())
                continue
            await asyncio.sleep(AGAIN_S)

    async def _put(
        self, way: str, topic: str, payload: bytes, expiry_s: float | None, *, retain: bool = False
    ) -> bool:
        try:
            return await self._ways[way](topic, payload, retain, expiry_s) > 0 or retain
        except (Refused, StoreUnavailableError, OSError, TimeoutError) as error:
            log.warning("the way %s does not take a message to a device: %s", way, error)
            return False

    def _ways_to(self, device: str) -> list[str]:
        """Return the way that a device was last heard by; all of them while none is known."""
        status = self._house.status(device)
        heard = status.ingress if status else ""
        return [heard] if heard in self._ways else list(self._ways)

    def _command(self, order: Order, device: Device) -> Command:
        grant = None
        if order.do in GRANTED:
            ends = max(order.until or order.expires_at, order.expires_at)
            claims = Grant(
                jti=f"g-{order.id}"[:64],
                aud=f"vaka:{device.native_id}",
                do=order.do,
                cmd=order.id,
                nbf=_seconds(order.requested_at),
                exp=_seconds(ends),
                masking=order.masking,
            )
            grant = self._granter.sign(claims)
        return Command(
            id=order.id,
            do=order.do,
            expires=order.expires_at,
            grant=grant,
            visit=order.visit,
            until=order.until,
            masking=order.masking,
            slot=order.slot,
        )

    def _config(self, desired: Config, device: Device) -> Config:
        if device.kind not in LOCKED_AWAY:
            return desired
        return msgspec.structs.replace(desired, grant_keys=(self._granter.key,))

    async def _tell(self, channel: str, payload: bytes) -> None:
        """Bring a proof to the journal; without it the next start would send again, so it must arrive."""
        while True:
            try:
                await self._intake.accept(self._receipt(channel, payload))
            except StoreUnavailableError as error:
                log.warning("a proof waits for the disk: %s", error)
                await asyncio.sleep(AGAIN_S)
            else:
                return

    def _receipt(self, channel: str, payload: bytes = b"") -> Frame:
        return Frame(Transport.RECEIPT, channel, payload, self._clock.now(), ingress="commander")


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
