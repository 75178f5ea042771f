"""A scenario driven over real MQTT: its devices, what lies between, and a clock shared with the gateway."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.contract.errors import ConfigurationError
from simulators.broker import Broker
from simulators.clock import CLOCK_FILE, FastClock, SharedClock
from simulators.driver import Driver, Tally
from simulators.driving.firmware import Firmware, marked
from simulators.faults.medium import ACKNOWLEDGED_WITHIN
from simulators.files import read_passwords
from simulators.outputs import Step
from simulators.scenarios.build import ZONE, Play, build
from simulators.scenarios.scenario import Scenario

LATE_START = timedelta(minutes=1)
SWITCHED_ON = timedelta(seconds=60)
"""So long after the start everything is switched on."""


class Drive:
    """A play and the driver that plays it; `firmware` more of its locks are programs of their own."""

    def __init__(
        self, play: Play, clock: SharedClock, passwords: dict[str, str], broker: Broker, *, firmware: int = 0
    ) -> None:
        self.play, self.clock, self.passwords, self.broker = play, clock, passwords, broker
        self.real = marked(play, firmware)
        self.machine = "cpython"
        self._driver: Driver | None = None

    @property
    def driver(self) -> Driver:
        """The driver, once the drive runs."""
        if self._driver is None:
            raise ConfigurationError("the drive does not run yet")
        return self._driver

    async def run(
        self,
        stop: asyncio.Event,
        say: Callable[[str], None],
        speed: float,
        started: Callable[[], None] | None = None,
    ) -> Tally:
        """Play it to its end, or until it is stopped; `started` is told when its devices are on."""
        if self.real and not (speed >= 1 and speed == int(speed)):
            raise ConfigurationError(f"speed: found {speed:g}; allowed with firmware: a whole number from 1")
        play, passive = self.play, frozenset(self.real)
        self._driver = driver = Driver(
            play.world.stage, self.broker, self.passwords, self.clock, say, play.medium, passive
        )
        play.medium.patience = ACKNOWLEDGED_WITHIN * max(1.0, speed)  # as long on the wall as it is in life
        self.clock.begin(play.start, speed)
        if (late := self.clock.now() - play.start) > LATE_START:
            say(f"the clock is {late} past the start: what was meant to be sent until now is late")
        locks = {name: self._lock(name, speed) for name in self.real}

        def told(step: Step) -> None:
            if step.device in locks:
                locks[step.device].tell(step)

        driver.told = told if locks else None
        waiting = asyncio.create_task(self._tell(started)) if started is not None else None
        try:
            return await driver.run(stop, play.until)
        finally:
            if waiting is not None:
                waiting.cancel()
            for lock in locks.values():
                lock.close()

    async def _tell(self, started: Callable[[], None]) -> None:
        switched_on = self.play.start + SWITCHED_ON
        while self.clock.now() < switched_on:  # noqa: ASYNC110 - the clock is another process's too
            await asyncio.sleep(0.05)
        started()

    def _lock(self, name: str, speed: float) -> Firmware:
        device, password = self.play.world.devices[name], self.passwords.get(name)
        return Firmware(device, self.broker, password, self.clock, speed=speed, machine=self.machine)


def prepare(
    scenario: Scenario, seed: int | None, folder: Path | None, broker: Broker, firmware: int = 0
) -> Drive:
    """Make a drive: by the clock and the passwords of that folder, else from now on and without login."""
    if folder is not None and (folder / CLOCK_FILE).exists():
        clock = SharedClock(folder / CLOCK_FILE)
        return Drive(build(scenario, seed), clock, read_passwords(folder), broker, firmware=firmware)
    now = datetime.now(UTC).replace(microsecond=0)
    local = now.astimezone(ZONE).replace(tzinfo=None)
    play = build(scenario.model_copy(update={"starts": local}), seed)
    passwords = read_passwords(folder) if folder is not None else {}
    clock = SharedClock(None, [FastClock(now, time.time(), 1.0)])
    return Drive(play, clock, passwords, broker, firmware=firmware)
