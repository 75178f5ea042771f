"""Plays devices on a virtual radio in real time, with ways in for other programs."""

import asyncio
import contextlib
from collections.abc import Mapping
from random import Random

from bumble.device import Device

from gateway.contract.errors import VakaError
from simulators.loops import say
from simulators.radio.backend import VirtualRadio
from simulators.radio.bluez import standing_in
from simulators.radio.bus import private_bus
from simulators.radio.command import Wanted
from simulators.radio.conditions import Conditions
from simulators.radio.devices.bthome import BTHomeSensor
from simulators.radio.devices.dispenser import Dispenser
from simulators.radio.devices.lock import Lock
from simulators.radio.devices.pendant import Pendant
from simulators.radio.devices.peripheral import Peripheral
from simulators.radio.devices.tag import AlertTag
from simulators.radio.hci_port import HciPort
from simulators.radio.host import make_host
from simulators.radio.medium import Medium

PASSKEY = 135_790
"""Printed on every Vaka device of the command."""
VAKA: Mapping[str, type[Lock | Pendant | Dispenser]] = {
    "lock": Lock,
    "pendant": Pendant,
    "dispenser": Dispenser,
}


def address_of(number: int) -> str:
    """Return the static random address of the device with that number, from 1."""
    return f"F0:00:00:00:{number >> 8:02X}:{number & 255:02X}"


def make_peripheral(medium: Medium, number: int, kind: str, name: str) -> Peripheral:
    """Return a device of that kind, without power."""

    def host() -> Device:
        return make_host(medium, address_of(number), kind)

    serial = f"{kind}-{number}"
    if kind in VAKA:
        return VAKA[kind](host, name, serial, PASSKEY)
    if kind == "sensor":
        return BTHomeSensor(host, serial)
    return AlertTag(host, serial)


async def play(wanted: Wanted, stop: asyncio.Event) -> None:
    """Have it on until told to stop; VakaError for a port that is taken, or without dbus-daemon."""
    air = Conditions(
        loss=wanted.loss,
        latency_s=wanted.latency_s,
        drops_per_hour=wanted.drops_per_hour,
        connection_slots=wanted.slots,
        seed=wanted.seed,
    )
    medium = Medium(air)
    made = [make_peripheral(medium, number, *one) for number, one in enumerate(wanted.devices, start=1)]
    async with contextlib.AsyncExitStack() as stack:
        for one, (kind, name) in zip(made, wanted.devices, strict=True):
            await one.power_on()
            stack.push_async_callback(one.power_cut)
            say(f"{kind} {name}: {one.address}, passkey {PASSKEY if kind in VAKA else 'none'}")
        for number, port in enumerate(wanted.ports, start=1):
            await _open(stack, medium, port, number)
        if wanted.bluez:
            await _stand_in(stack, medium, {one.address: PASSKEY for one in made if one.protected})
        if wanted.every_s and made:
            life = asyncio.ensure_future(_live(made, wanted.every_s, Random(wanted.seed)))  # noqa: S311 - repeatable
            stack.callback(life.cancel)
        say("the radio is on")
        await stop.wait()


async def _open(stack: contextlib.AsyncExitStack, medium: Medium, port: int, number: int) -> None:
    opened = HciPort(medium, f"C0:00:00:00:01:{number:02X}", f"hci-{number}")
    try:
        found = await opened.open(port)
    except OSError as error:
        raise VakaError(f"--hci-port {port}: cannot listen there: {error.strerror}") from error
    stack.push_async_callback(opened.close)
    say(f"HCI: tcp-client:127.0.0.1:{found}")


async def _stand_in(stack: contextlib.AsyncExitStack, medium: Medium, passkeys: Mapping[str, int]) -> None:
    adapter = VirtualRadio.on(medium, passkeys=passkeys)
    await adapter.open()
    stack.push_async_callback(adapter.close)
    address = await stack.enter_async_context(private_bus())
    await stack.enter_async_context(standing_in(adapter, address))
    say(f"DBUS_SYSTEM_BUS_ADDRESS={address}")


async def _live(made: list[Peripheral], every_s: float, chance: Random) -> None:
    while True:
        await asyncio.sleep(chance.expovariate(1 / every_s))
        await happen(chance.choice(made), chance)


async def happen(one: Peripheral, chance: Random) -> None:
    """Let something of its kind happen to a device."""
    if isinstance(one, Lock):
        one.turn(locked=not one.locked)
    elif isinstance(one, Pendant):
        one.press()
    elif isinstance(one, Dispenser):
        one.take(f"dose-{chance.randint(1, 4)}", one.clock.now())
    elif isinstance(one, BTHomeSensor):
        await one.tell(motion=chance.randint(0, 1), temperature_c=round(chance.uniform(18, 26), 1))
    elif isinstance(one, AlertTag):
        await one.press()
