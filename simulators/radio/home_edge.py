"""Runs a real edge over the virtual radio of the Bluetooth home, with the gateway in another process."""

import asyncio
import contextlib
from pathlib import Path

from gateway.contract.errors import ConfigurationError
from gateway.edge.house import Edge
from gateway.edge.settings import EdgeSettings
from gateway.transports.ble import Radio
from simulators.bluetooth import EDGE, EDGE_HEARTBEAT_S, PARTS
from simulators.clock import CLOCK_FILE, SharedClock
from simulators.files import SECRETS_FILE, read_passwords
from simulators.loops import say
from simulators.radio.backend import VirtualRadio
from simulators.radio.household import Household

QUICKLY = {"keep_alive_s": 10, "reconnect_max_s": 2, "return_after_s": 2}
"""A demo's links are on loopback: no need to be patient with them."""


async def play_home(folder: Path, broker: str, stop: asyncio.Event) -> None:
    """Have the home on until told to stop; ConfigurationError for a municipality that has none."""
    passwords = read_passwords(folder)
    edge_id = next((name for name in passwords if name.endswith(f"/{EDGE}")), None)
    if edge_id is None:
        where = folder / SECRETS_FILE
        raise ConfigurationError(f"{where}: found no {EDGE}; allowed: a municipality made with --bluetooth")
    tenant = edge_id.partition("/")[0]
    clock = SharedClock(folder / CLOCK_FILE)
    home = Household(tenant, clock, clock.start)
    settings = _settings(folder, broker, tenant, passwords[edge_id], clock.speed)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(home.power_cut)
        await home.power_on()
        adapter = VirtualRadio.on(home.medium, passkeys=home.passkeys)
        await adapter.open()
        stack.push_async_callback(adapter.close)
        edge = Edge(
            settings,
            radio=Radio(scanner=adapter.scanner, client=adapter.client, links=adapter.adapter),
            clock=clock,
        )
        living = asyncio.create_task(home.live(), name="home")
        stack.push_async_callback(_end, living)
        living.add_done_callback(lambda _: stop.set())
        say(f"the Bluetooth home is on: {len(PARTS)} devices, heard by {edge_id}")
        await edge.run(stop)


async def _end(living: asyncio.Task[None]) -> None:
    """Stop the life of the home; what made it fail is raised."""
    living.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await living


def _settings(folder: Path, broker: str, tenant: str, password: str, speed: float) -> EdgeSettings:
    devices = [
        {
            "address": part.address,
            "profile": part.profile,
            "device": part.native_id(tenant) if part.name else "",
        }
        for part in PARTS
    ]
    return EdgeSettings.model_validate(
        {
            "data_dir": folder / "edge",
            "identity": {"tenant": tenant, "name": EDGE, "password": password},
            "link": [{"name": "centre", "url": broker}],
            "uplink": QUICKLY,
            "clock": {"source": "trusted"},
            "heartbeat_s": max(1.0, EDGE_HEARTBEAT_S / speed),
            "listener": {"enabled": False},
            "ble": {"enabled": True, "device": devices, "reconnect_max_s": 2},
        }
    )
