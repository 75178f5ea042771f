"""A whole gateway with a virtual adapter: a lock over Bluetooth, through disconnects and a restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from gateway.config import Settings
from gateway.wiring import Gateway
from simulators.radio.devices.lock import Lock
from simulators.radio.devices.memory import Memory
from tests.unit.radio.radio_stage import PASSKEY, Stage, address

REGISTRY = Path(__file__).parents[2] / "deploy" / "registry.example.toml"
EVENTS = 200
WITHIN_S = 180.0


def settings_of(folder: Path) -> Settings:
    return Settings.model_validate(
        {
            "data_dir": folder,
            "registry": REGISTRY,
            "listener": {"enabled": False},
            "api": {"port": 0},
            "watch": {"round_trip": False},
            "ble": {
                "enabled": True,
                "reconnect_max_s": 0.5,
                "device": [{"address": address(1), "profile": "vaka", "device": "exempelby/lock-1"}],
            },
        }
    )


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Gateway]:
    gateway, stop, ready = Gateway(settings_of(folder)), asyncio.Event(), asyncio.Event()

    async def tell() -> None:
        ready.set()

    task = asyncio.create_task(gateway.run(stop, tell))
    try:
        async with asyncio.timeout(WITHIN_S):
            await ready.wait()
        yield gateway
    finally:
        stop.set()
        await task


async def until_empty(memory: Memory) -> None:
    async with asyncio.timeout(WITHIN_S):
        while len(memory):
            await asyncio.sleep(0.02)


async def live(folder: Path) -> list[int | None]:
    async with Stage() as stage:
        stage.radio.passkeys[address(1)] = PASSKEY
        lock: Lock = await stage.add(Lock(stage.host(1), "exempelby/lock-1", "SN-1", PASSKEY, Memory()))
        chance = Random(11)
        with stage.radio.as_default():
            async with running(folder) as gateway:
                for turn in range(EVENTS // 2):
                    lock.turn(locked=bool(turn % 2))
                    await asyncio.sleep(chance.uniform(0, 0.02))
                    if chance.random() < 0.1:
                        await lock.disconnect()
                assert gateway.ble is not None
            for turn in range(EVENTS // 2):
                lock.turn(locked=bool(turn % 2))
            async with running(folder) as gateway:
                await until_empty(lock.memory)
                events = gateway.store.events(device="lock-1", limit=2 * EVENTS)
                assert gateway.ble is not None
                assert gateway.ble.standing.trouble == ""
    return [event.sequence for _, event in reversed(events) if event.type.startswith("lock.")]


def test_every_event_of_a_lock_is_in_the_log_once_and_in_order(tmp_path: Path) -> None:
    assert asyncio.run(live(tmp_path / "state")) == list(range(1, EVENTS + 1))
