"""The driver: plays a stage over real MQTT in fast time, one connection a device."""

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from simulators.broker import Broker
from simulators.clock import FastClock
from simulators.outputs import Link, Message, Step
from simulators.stage import Stage
from simulators.wire import Wire

MIND_S = 0.4
"""Wall seconds between two looks at keep-alives and reconnections."""

FAREWELL_S = 3.0
"""Wall seconds that a stop waits for outstanding acknowledgements."""


class Tally(msgspec.Struct):
    """What was sent and acknowledged in all, and which devices were refused, with the reason."""

    sent: int = 0
    acknowledged: int = 0
    dropped: int = 0
    refused: dict[str, str] = {}


class Driver:
    """Runs until `stop` is set. `say` is given one line for each remark of the script."""

    def __init__(
        self,
        stage: Stage,
        broker: Broker,
        passwords: Mapping[str, str],
        clock: FastClock,
        say: Callable[[str], None],
    ) -> None:
        self.stage, self.clock, self.say = stage, clock, say
        self._early = asyncio.Event()
        self._wires = {
            device.id: Wire(device, broker, passwords.get(device.id), self._heard)
            for device in stage.devices.values()
        }
        self._told: set[str] = set()

    async def run(self, stop: asyncio.Event) -> Tally:
        """Publish each message when its simulated time has come; stop cleanly and tell the sums."""
        minding = asyncio.create_task(self._mind())
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                for step in self.stage.advance(self.clock.now()):
                    self._do(step)
                await self._until_next(stopping)
            await self._farewell()
        finally:
            minding.cancel()
            stopping.cancel()
        return self.tally()

    def tally(self) -> Tally:
        """Return the sums so far."""
        wires = self._wires.values()
        return Tally(
            sum(wire.sent for wire in wires),
            sum(wire.acknowledged for wire in wires),
            sum(wire.dropped for wire in wires),
            {name: wire.refused for name, wire in self._wires.items() if wire.refused},
        )

    async def _until_next(self, stopping: asyncio.Task[bool]) -> None:
        at = self.stage.next_at()
        self._early.clear()
        early = asyncio.create_task(self._early.wait())
        wait_s = 3600 if at is None else self.clock.wait_s(at)
        await asyncio.wait({early, stopping}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        early.cancel()

    def _do(self, step: Step) -> None:
        wire = self._wires[step.device]
        if step.note:
            zone = wire.device.profile.zone
            self.say(f"{step.at.astimezone(zone):%H:%M:%S}  {step.note}")
        if isinstance(step.output, Message):
            wire.publish(step.output)
        elif isinstance(step.output, Link):
            (wire.up if step.output.up else wire.down)()

    def _heard(self, device: str, leaf: str, payload: bytes) -> None:
        for step in self.stage.tell(device, leaf, payload, self.clock.now()):
            self._do(step)
        self._early.set()

    async def _mind(self) -> None:
        while True:
            for name, wire in self._wires.items():
                wire.mind()
                if wire.refused and name not in self._told:
                    self._told.add(name)
                    self.say(f"          {name}: connection refused: {wire.refused}")
            await asyncio.sleep(MIND_S)

    async def _farewell(self) -> None:
        deadline = asyncio.get_running_loop().time() + FAREWELL_S
        # The counters are moved by paho's callbacks, which know no event to wait on.
        while asyncio.get_running_loop().time() < deadline and not self._settled():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.05)
        for wire in self._wires.values():
            wire.close()

    def _settled(self) -> bool:
        """Everything is acknowledged that has a link to be acknowledged on."""
        return all(not w.wanted or w.refused or w.sent <= w.acknowledged for w in self._wires.values())
