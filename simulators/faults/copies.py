"""What happens to one message on its way: it may be lost, held, doubled, overtaken, or damaged."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import singledispatch
from random import Random

import msgspec

from simulators.faults.active import Active
from simulators.faults.spec import (
    ClockFault,
    Cloud,
    Corruption,
    Delay,
    Duplication,
    Fault,
    Loss,
    Reordering,
)

WRITTEN_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
"""A moment as devices write it (standard device interface, version 1: RFC 3339 with offset)."""


class Copy(msgspec.Struct):
    """One copy of a message under way; a `free` one may be overtaken by those sent after it."""

    payload: bytes
    wait_s: float = 0.0
    free: bool = False
    again: bool = False


def travel(payload: bytes, at: datetime, meets: list[tuple[Active, Random]]) -> list[Copy]:
    """Send a message through the faults it meets, in the order of the file; none left is a loss."""
    copies = [Copy(payload)]
    for active, rng in meets:
        copies = touch(active.fault, active, copies, rng, at)
    return copies


@singledispatch
def touch(_fault: Fault, _active: Active, copies: list[Copy], _rng: Random, _at: datetime) -> list[Copy]:
    """Let a fault work on the copies; one that breaks connections or people's phones does nothing here."""
    return copies


@touch.register
def _(fault: Loss, _active: Active, copies: list[Copy], rng: Random, _at: datetime) -> list[Copy]:
    return [one for one in copies if rng.random() >= fault.chance]


@touch.register
def _(fault: Delay, _active: Active, copies: list[Copy], rng: Random, _at: datetime) -> list[Copy]:
    return _each(copies, lambda one: _wait(one, rng.uniform(*fault.seconds)))


@touch.register
def _(fault: Duplication, _active: Active, copies: list[Copy], rng: Random, _at: datetime) -> list[Copy]:
    if rng.random() >= fault.chance:
        return copies
    first = copies[:1]
    return [
        *copies,
        *(Copy(one.payload, one.wait_s + rng.uniform(0, 5), free=True, again=True) for one in first),
    ]


@touch.register
def _(fault: Reordering, _active: Active, copies: list[Copy], rng: Random, _at: datetime) -> list[Copy]:
    for one in copies:
        if rng.random() < fault.chance:
            one.wait_s += rng.uniform(0, fault.seconds)
            one.free = True
    return copies


@touch.register
def _(fault: Corruption, _active: Active, copies: list[Copy], rng: Random, _at: datetime) -> list[Copy]:
    for one in copies:
        if rng.random() < fault.chance:
            one.payload = flipped(one.payload, fault.bits, rng)
    return copies


@touch.register
def _(fault: Cloud, active: Active, copies: list[Copy], _rng: Random, at: datetime) -> list[Copy]:
    if fault.loses:
        return []
    return _each(copies, lambda one: _wait(one, (active.ends - at).total_seconds()))


def _each(copies: list[Copy], work: Callable[[Copy], Copy]) -> list[Copy]:
    return [work(one) for one in copies]


def _wait(one: Copy, seconds: float) -> Copy:
    return Copy(one.payload, one.wait_s + seconds, one.free, one.again)


def written(payload: bytes, at: datetime, clocks: Iterable[Active]) -> bytes:
    """Return what a device writes whose clock is wrong: its mistake is in the message for good."""
    for active in clocks:
        fault = active.fault
        if isinstance(fault, ClockFault):
            hours = (at - active.begins).total_seconds() / 3600
            payload = shifted(payload, timedelta(seconds=fault.jump_s + fault.drift_s_per_h * hours))
    return payload


def flipped(payload: bytes, bits: int, rng: Random) -> bytes:
    """Return the bytes with so many bits turned over."""
    damaged = bytearray(payload)
    for _ in range(bits if damaged else 0):
        place = rng.randrange(len(damaged) * 8)
        damaged[place // 8] ^= 1 << place % 8
    return bytes(damaged)


def shifted(payload: bytes, wrong: timedelta) -> bytes:
    """Return the bytes with every moment in them so much later, as a wrong clock has it."""

    def move(found: re.Match[bytes]) -> bytes:
        try:
            moved = datetime.fromisoformat(found[0].decode()) + wrong
        except (ValueError, OverflowError):
            return found[0]
        return moved.isoformat(timespec="milliseconds").encode()

    return WRITTEN_TIME.sub(move, payload)
