"""What the tests of the virtual radio begin with: a medium, an adapter, a lock, in virtual time."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakGATTProtocolError
from bumble import hci
from cbor2 import dumps, loads

from simulators.protocol.loop import VirtualLoop
from simulators.radio import standard
from simulators.radio.backend import VirtualRadio
from simulators.radio.conditions import Conditions
from simulators.radio.devices.lock import Lock
from simulators.radio.devices.memory import Memory
from simulators.radio.devices.peripheral import Peripheral
from simulators.radio.host import make_host
from simulators.radio.medium import Medium

PASSKEY = 246_810
BATTERY, SERIAL, MODEL = "2a19", "2a25", "2a24"
SERVICE, EVENT, ACKNOWLEDGE, STATE, COMMAND, RESULT, CONFIG = (
    f"56414b41-{part:04x}-4d31-8c0e-6f2a1b7d9e50" for part in range(1, 8)
)
CURRENT_TIME = "2a2b"


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in virtual time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        play(test(*args, **kwargs))

    return run


def play(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def address(number: int) -> str:
    return f"F0:00:00:{number >> 16 & 255:02X}:{number >> 8 & 255:02X}:{number & 255:02X}"


class Stage:
    """A medium with an adapter; peripherals are added by number."""

    def __init__(self, **conditions: Any) -> None:
        self.medium = Medium(Conditions(**conditions))
        self.radio = VirtualRadio.on(self.medium)
        self.peripherals: list[Peripheral] = []
        self.interval_ms = 100.0

    async def __aenter__(self) -> Self:
        await self.radio.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.radio.close()
        for one in self.peripherals:
            await one.power_cut()

    def host(self, number: int) -> Callable[[], Any]:
        return lambda: make_host(self.medium, address(number), "device")

    async def add(self, one: Any) -> Any:
        self.peripherals.append(one)
        await one.power_on()
        return one

    async def lock(self, number: int = 1, passkey: int | None = PASSKEY, known: int | None = -1) -> Lock:
        """A lock with a printed code; `known` is what the adapter has been told of it."""
        told = passkey if known == -1 else known
        if told is not None:
            self.radio.passkeys[address(number)] = told
        device = Lock(self.host(number), f"demo/lock-{number}", f"SN-{number}", passkey, Memory())
        device.interval_ms = self.interval_ms
        return await self.add(device)

    async def add_adapter(self) -> VirtualRadio:
        other = VirtualRadio.on(self.medium, "C0:00:00:00:00:02")
        await other.open()
        return other

    async def find(self, number: int = 1) -> BLEDevice:
        found = await BleakScanner.find_device_by_address(address(number), 30, backend=self.radio.scanner)
        assert found is not None
        return found

    async def client(self, number: int = 1, **more: Any) -> BleakClient:
        return BleakClient(await self.find(number), backend=self.radio.client, **more)

    def away(self, number: int = 1) -> None:
        self.medium.set_range(hci.Address(address(number)), present=False)

    def back(self, number: int = 1) -> None:
        self.medium.set_range(hci.Address(address(number)), present=True)


class Hearing:
    """A gateway's part of the Vaka profile: joins events and results, acknowledges if told to."""

    def __init__(self, client: BleakClient, *, acknowledges: bool = True) -> None:
        self.client = client
        self.acknowledges = acknowledges
        self.events: list[dict[str, Any]] = []
        self.results: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self._joiners = {leaf: standard.Joiner() for leaf in ("event", "result", "state")}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self) -> "Hearing":
        await self.client.start_notify(RESULT, self._take("result", self.results))
        await self.client.start_notify(STATE, self._take("state", self.states))
        await self.client.start_notify(EVENT, self._take("event", self.events))
        return self

    def _take(self, leaf: str, kept: list[dict[str, Any]]) -> Callable[[Any, bytearray], None]:
        def heard(_: Any, value: bytearray) -> None:
            whole = self._joiners[leaf].take(bytes(value))
            if whole is None:
                return
            kept.append(loads(whole))
            if leaf == "event" and self.acknowledges:
                task = asyncio.ensure_future(self.acknowledge(kept[-1]["sequence"]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        return heard

    async def acknowledge(self, sequence: int) -> None:
        value = sequence.to_bytes(8, "little")
        await self.client.write_gatt_char(ACKNOWLEDGE, value, response=True)

    async def write(self, leaf: str, value: dict[str, Any]) -> None:
        for part in standard.fragments(dumps(value), self.client.mtu_size):
            await self.client.write_gatt_char(leaf, part, response=True)

    async def state(self) -> dict[str, Any]:
        told: dict[str, Any] = loads(bytes(await self.client.read_gatt_char(STATE)))
        return told

    def sequences(self) -> list[int]:
        return [one["sequence"] for one in self.events]

    def kinds(self) -> list[str]:
        return [one["type"].removeprefix("vaka.").removesuffix(".v1") for one in self.events]


async def refusal(work: Awaitable[object]) -> int:
    """Return the ATT error code that it is refused with."""
    try:
        await work
    except BleakGATTProtocolError as error:
        return int(error.code)
    raise AssertionError("it was not refused")
