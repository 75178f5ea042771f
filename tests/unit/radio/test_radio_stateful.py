"""Hypothesis drives locks, range, power and air; whatever it does, every event arrives, once and in order."""

import asyncio
import contextlib

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from simulators.protocol.loop import VirtualLoop
from tests.unit.radio.radio_stage import Hearing, Stage

LOCKS = 3
NUMBERS = st.integers(1, LOCKS)


class Locks(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.heard: dict[int, list[int]] = {number: [] for number in range(1, LOCKS + 1)}
        self.runner.run(self.start())

    async def start(self) -> None:
        self.stage = Stage(supervision_timeout_s=2.0)
        await self.stage.radio.open()
        self.locks = {number: await self.stage.lock(number) for number in self.heard}
        found = {one.address: one for one in await BleakScanner.discover(2, backend=self.stage.radio.scanner)}
        devices = [found[self.locks[number].address] for number in self.heard]
        self.jobs = [
            asyncio.get_running_loop().create_task(self.keep(number, device))
            for number, device in zip(self.heard, devices, strict=True)
        ]

    async def keep(self, number: int, device: BLEDevice) -> None:
        while True:
            gone = asyncio.Event()
            client = BleakClient(
                device,
                lambda _, gone=gone: gone.set(),
                pair=True,
                timeout=10,
                backend=self.stage.radio.client,
            )
            with contextlib.suppress(BleakError, TimeoutError):
                async with client:
                    hearing = await Quiet(client, self.heard[number]).begin()
                    await gone.wait()
                    del hearing
            await asyncio.sleep(1)

    @rule(number=NUMBERS, locked=st.booleans())
    def turn(self, number: int, *, locked: bool) -> None:
        self.runner.run(self._turn(number, locked=locked))

    async def _turn(self, number: int, *, locked: bool) -> None:
        self.locks[number].turn(locked=locked)

    @rule(number=NUMBERS, here=st.booleans())
    def move(self, number: int, *, here: bool) -> None:
        self.runner.run(self._move(number, here=here))

    async def _move(self, number: int, *, here: bool) -> None:
        (self.stage.back if here else self.stage.away)(number)

    @rule(number=NUMBERS)
    def cut_power(self, number: int) -> None:
        self.runner.run(self.locks[number].power_cut())

    @rule(number=NUMBERS)
    def give_power(self, number: int) -> None:
        self.runner.run(self.locks[number].power_on())

    @rule(loss=st.sampled_from([0.0, 0.2, 0.6]))
    def noise(self, loss: float) -> None:
        self.runner.run(self._noise(loss))

    async def _noise(self, loss: float) -> None:
        self.stage.medium.change(loss=loss)

    @rule(seconds=st.floats(0.001, 30))
    def wait(self, seconds: float) -> None:
        self.runner.run(asyncio.sleep(seconds))

    @rule()
    def settle(self) -> None:
        self.runner.run(self._settle())

    async def _settle(self) -> None:
        self.stage.medium.change(loss=0.0)
        for number, lock in self.locks.items():
            self.stage.back(number)
            await lock.power_on()
        await asyncio.sleep(120)
        for number, lock in self.locks.items():
            assert not len(lock.memory), f"lock {number} still waits for an acknowledgement"
            assert list(dict.fromkeys(self.heard[number])) == list(range(1, lock.memory.sequence + 1))

    def teardown(self) -> None:
        self.runner.run(self._settle())
        self.runner.run(self._end())
        self.runner.close()

    async def _end(self) -> None:
        for job in self.jobs:
            job.cancel()
        await asyncio.gather(*self.jobs, return_exceptions=True)


class Quiet(Hearing):
    """Acknowledges as long as the link stands, and keeps the sequences."""

    def __init__(self, client: BleakClient, heard: list[int]) -> None:
        super().__init__(client)
        self.heard = heard

    async def acknowledge(self, sequence: int) -> None:
        self.heard.append(sequence)
        with contextlib.suppress(BleakError):
            await super().acknowledge(sequence)


TestLocks = Locks.TestCase
TestLocks.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)
