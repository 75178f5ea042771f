"""The driver: plays a stage over real MQTT in fast time, one connection a device."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from simulators.broker import Broker
from simulators.clock import Clock
from simulators.driving.latency import Latencies, Times
from simulators.faults.straight import Straight
from simulators.house.port import Arrival, Medium
from simulators.outputs import Link, Message, Step
from simulators.stage import Stage
from simulators.wire import Sent, Wire

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
    latencies: Latencies | None = None


class Driver:
    """Runs until `stop` is set, or `until` has come. `say` is given a line for each remark of the script.

    `medium` is what lies between a device and its MQTT client, with its faults; `passive` devices are
    played by somebody else, who is told what they should do by `told`.
    """

    def __init__(  # noqa: PLR0917 - what it joins, each once
        self,
        stage: Stage,
        broker: Broker,
        passwords: Mapping[str, str],
        clock: Clock,
        say: Callable[[str], None],
        medium: Medium | None = None,
        passive: frozenset[str] = frozenset(),
    ) -> None:
        self.stage, self.clock, self.say = stage, clock, say
        self.medium: Medium = medium if medium is not None else Straight()
        self.told: Callable[[Step], None] | None = None
        self.times = Times()
        self._early = asyncio.Event()
        self._wires = {
            device.id: Wire(device, broker, passwords.get(device.id), self)
            for device in stage.devices.values()
            if device.id not in passive
        }
        self._said: set[str] = set()

    async def run(self, stop: asyncio.Event, until: datetime | None = None) -> Tally:
        """Publish each message when its simulated time has come; stop cleanly and tell the sums."""
        minding = asyncio.create_task(self._mind())
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set() and (until is None or self.clock.now() < until):
                self._advance(self.clock.now())
                await self._until_next(stopping, until)
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
            self.times.report(),
        )

    @property
    def connected(self) -> int:
        """How many devices have a connection."""
        return sum(wire.connected for wire in self._wires.values())

    def act(self, device: str, do: str) -> None:
        """Let a device do something now; ConfigurationError for what its kind cannot do."""
        self._take(self.stage.act(device, self.clock.now(), do))
        self.wake()

    def wake(self) -> None:
        """Look again at once: something was planned, or the clock runs otherwise."""
        self._early.set()

    # -- Ears

    def heard(self, device: str, leaf: str, payload: bytes) -> None:
        """Hand a device what came for it."""
        self._take(self.stage.tell(device, leaf, payload, self.clock.now()))
        self.wake()

    def written(self, sent: Sent) -> None:
        """Note when a message was written."""
        self.times.written(sent.intended, sent.written)

    def acknowledged(self, sent: Sent) -> None:
        """Note when its PUBACK came, and tell the medium."""
        self.times.answered(sent.intended, sent.written, sent.answered)
        if sent.token:
            self.medium.acknowledged([sent.token])

    # -- the play

    def _advance(self, now: datetime) -> None:
        self._take(self.stage.advance(now))
        for arrival in self.medium.arrivals(now.astimezone(UTC)):
            wire = self._wires.get(arrival.device)
            if wire is not None:
                self._arrive(wire, arrival)

    def _take(self, steps: list[Step]) -> None:
        for step in steps:
            at, output = step.at.astimezone(UTC), step.output
            if step.note:
                zone = self.stage.devices[step.device].profile.zone
                self.say(f"{step.at.astimezone(zone):%H:%M:%S}  {step.note}")
            if step.device not in self._wires:
                pass  # somebody else plays it
            elif isinstance(output, Message):
                self.medium.carry(at, step.device, output)
            elif isinstance(output, Link):
                self.medium.link(at, step.device, up=output.up)
            if self.told is not None:
                self.told(step)

    def _arrive(self, wire: Wire, arrival: Arrival) -> None:
        seen = arrival.message
        if isinstance(seen, Link):
            (wire.up if seen.up else wire.down)()
        else:
            wire.publish(seen, self.clock.wall_of(arrival.at), arrival.token)

    async def _until_next(self, stopping: asyncio.Task[bool], until: datetime | None) -> None:
        moments = (self.stage.next_at(), self.medium.next_at(), until)
        at = min((moment for moment in moments if moment is not None), default=None)
        self._early.clear()
        early = asyncio.create_task(self._early.wait())
        wait_s = 3600 if at is None else self.clock.wait_s(at)
        await asyncio.wait({early, stopping}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        early.cancel()

    async def _mind(self) -> None:
        while True:
            for name, wire in self._wires.items():
                wire.mind()
                if wire.refused and name not in self._said:
                    self._said.add(name)
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
        return all(wire.settled for wire in self._wires.values())
