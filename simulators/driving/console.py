"""A line-oriented console on a running drive: what somebody says, the simulated devices do."""

import asyncio
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TextIO

from pydantic import TypeAdapter, ValidationError

from gateway.contract.errors import ConfigurationError
from simulators.driving.live import Drive
from simulators.faults.active import Active
from simulators.faults.spec import AnyFault
from simulators.scenarios.build import find_devices

HELP = (
    "press DEVICE [ACTION]     let a device do something: press social_alarm:1, press lock:2 jam",
    "actions DEVICE            what it can do",
    "devices [KIND]            who there is",
    "fault KIND on [WHERE]     power, mobile, broker, storm, loss, delay, duplication, battery ...",
    "fault KIND off",
    "speed N                   so many times faster than the clock on the wall",
    "status                    the time there, what was sent and acknowledged, and how late",
    "quit",
)
FAULT: TypeAdapter[AnyFault] = TypeAdapter(AnyFault)
SHOWN = 40
"""Devices that are named before the rest is only counted."""
FASTEST = 3600.0


class Console:
    """Takes one line and answers with lines; ConfigurationError says what was wrong with it."""

    def __init__(self, drive: Drive, stop: asyncio.Event) -> None:
        self._drive, self._stop = drive, stop
        self._words: dict[str, Callable[[list[str]], list[str]]] = {
            "press": self._press,
            "actions": self._actions,
            "devices": self._devices,
            "fault": self._fault,
            "speed": self._speed,
            "status": self._status,
            "help": lambda _: list(HELP),
            "quit": self._quit,
        }

    def answer(self, line: str) -> list[str]:
        """Do what a line says; a wrong one is answered with one line that says what is allowed."""
        word, *rest = line.split() or ["help"]
        do = self._words.get(word)
        if do is None:
            return [f"{word!r}: no such word; allowed: {', '.join(self._words)}"]
        try:
            return do(rest)
        except ConfigurationError as error:
            return [str(error).splitlines()[0]]

    def _press(self, words: list[str]) -> list[str]:
        where, do = _two(words, "press DEVICE [ACTION]", "press")
        said = []
        for device in find_devices(self._drive.play.world, where):
            self._drive.driver.act(device.id, do)
            said.append(f"{device.id}: {do}")
        return said

    def _actions(self, words: list[str]) -> list[str]:
        where, _ = _two(words, "actions DEVICE", "")
        device = find_devices(self._drive.play.world, where)[0]
        return [f"{device.id}: {', '.join(sorted(device.ACTIONS))}"]

    def _devices(self, words: list[str]) -> list[str]:
        where, _ = _two(words or ["all"], "devices [KIND]", "")
        found = find_devices(self._drive.play.world, where)
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        return [f"{one.id}  {one.kind}  {one.profile.home}" for one in found[:SHOWN]] + more

    def _fault(self, words: list[str]) -> list[str]:
        if len(words) not in {2, 3} or words[1] not in {"on", "off"}:
            raise ConfigurationError("allowed: fault KIND on [WHERE], fault KIND off")
        play, now = self._drive.play, self._drive.clock.now()
        kind = words[0]
        if words[1] == "off":
            count = play.medium.end(kind, now)
            self._drive.driver.wake()
            return [f"{kind}: {count} ended"]
        where = words[2] if len(words) == 3 else "all"
        try:
            fault = FAULT.validate_python({"kind": kind, "where": where, "id": f"{kind} by hand"})
        except ValidationError as error:
            raise ConfigurationError(f"fault {kind}: {error.errors()[0]['msg']}") from None
        hit = frozenset(device.id for device in find_devices(play.world, where))
        play.medium.begin(Active(fault, now, now + timedelta(days=366), hit, play.seed))
        self._drive.driver.wake()
        return [f"{kind}: on for {len(hit)} devices"]

    def _speed(self, words: list[str]) -> list[str]:
        try:
            speed = float(words[0])
        except (IndexError, ValueError):
            speed = 0.0
        if not 0.01 <= speed <= FASTEST:
            raise ConfigurationError(f"allowed: speed N, from 0.01 to {FASTEST:g}")
        if self._drive.real:
            raise ConfigurationError("the speed stays: the firmware of real locks keeps its own clock")
        self._drive.clock.set_speed(speed)
        self._drive.driver.wake()
        return [f"speed {speed:g}"]

    def _status(self, _words: list[str]) -> list[str]:
        driver = self._drive.driver
        tally = driver.tally()
        whole = tally.latencies.whole if tally.latencies else None
        took = f", intended to PUBACK p50 {whole.p50_ms:g} ms, p99 {whole.p99_ms:g} ms" if whole else ""
        late = tally.latencies.late if tally.latencies else 0
        return [
            f"{self._drive.clock.now():%Y-%m-%d %H:%M:%S} UTC, {driver.connected} devices connected",
            f"{tally.acknowledged} of {tally.sent} acknowledged, {late} sent late{took}",
        ]

    def _quit(self, _words: list[str]) -> list[str]:
        self._stop.set()
        return []


def listen(console: Console, say: Callable[[str], None], source: TextIO | None = None) -> None:
    """Answer the lines of standard input to its end; its thread dies with the program."""
    loop, lines = asyncio.get_running_loop(), source or sys.stdin

    def answer(line: str) -> None:
        for said in console.answer(line):
            say(said)

    def read() -> None:
        for line in lines:
            if loop.is_closed():
                return
            loop.call_soon_threadsafe(answer, line)

    threading.Thread(target=read, name="console", daemon=True).start()


def _two(words: list[str], usage: str, default: str) -> tuple[str, str]:
    if not 1 <= len(words) <= 2:
        raise ConfigurationError(f"allowed: {usage}")
    return words[0], words[1] if len(words) == 2 else default
