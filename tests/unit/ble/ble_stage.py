"""What the tests of the Bluetooth transport begin with: the virtual radio, and an intake that can be full."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import entry_points
from random import Random
from typing import Any, Self

from cbor2 import loads

from gateway.ble_settings import BleDeviceSettings, BleSettings
from gateway.contract import Sender
from gateway.model.frame import Frame
from gateway.stores.sessions import MemorySessionStore
from gateway.transports.ble import BleTransport, Radio
from simulators.protocol.loop import VirtualClock
from tests.unit.radio.radio_stage import Stage, address

PROFILES = [point.load() for point in entry_points(group="vaka.gatt")]
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Disk:
    """An intake: takes frames unless `full`, and puts them on disk `delay_s` later unless `stuck`."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.full = False
        self.stuck = False
        self.delay_s = 0.02
        self.tokens: list[tuple[Sender, int]] = []
        self.on_disk: set[int] = set()

    def offer(self, frame: Frame, sender: Sender | None = None, token: int = 0) -> bool:
        if self.full:
            return False
        self.frames.append(frame)
        if sender is not None:
            self.tokens.append((sender, token))
            if not self.stuck:
                asyncio.get_running_loop().call_later(self.delay_s, self.commit, sender, token)
        return True

    async def accept(self, frame: Frame) -> int:
        raise NotImplementedError(frame.channel)

    def commit(self, sender: Sender, token: int) -> None:
        sender.durable([token])

    def events(self, identity: str = "") -> list[dict[str, Any]]:
        return [
            loads(frame.payload)
            for frame in self.frames
            if frame.channel.endswith("/event") and identity in frame.channel
        ]

    def sequences(self, identity: str = "") -> list[int]:
        return [event["sequence"] for event in self.events(identity)]

    def channels(self) -> set[str]:
        return {frame.channel for frame in self.frames}


def listed(*numbers: int, profile: str = "vaka", **more: Any) -> tuple[BleDeviceSettings, ...]:
    return tuple(BleDeviceSettings(address=address(n), profile=profile, **more) for n in numbers)


class House:
    """A transport on a stage's adapter; runs while it is entered."""

    def __init__(
        self,
        stage: Stage,
        devices: Sequence[BleDeviceSettings],
        disk: Disk | None = None,
        store: MemorySessionStore | None = None,
        **settings: Any,
    ) -> None:
        self.stage = stage
        self.disk = disk or Disk()
        self.store = store or MemorySessionStore()
        clock = VirtualClock(asyncio.get_running_loop(), START)  # type: ignore[arg-type]
        self.transport = BleTransport(
            BleSettings(enabled=True, device=tuple(devices), **settings),
            PROFILES,
            self.disk,
            clock,
            self.store,
            Radio(None, stage.radio.scanner, stage.radio.client, stage.radio.adapter),
            Random(7),
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.transport.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled() and self._task.exception() is not None:
                raise self._task.exception()
            self._task = None

    @property
    def standing(self) -> Any:
        return self.transport.standing


async def until(condition: Any, for_s: float = 600) -> None:
    """Wait in virtual time."""
    async with asyncio.timeout(for_s):
        while not condition():
            await asyncio.sleep(0.05)
