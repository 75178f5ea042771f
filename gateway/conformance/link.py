"""One connection of the device through the probe to our side, and what is done to its packets on the way."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

import mqtt5

from gateway.conformance.record import Direction, Fate, Record
from gateway.conformance.wire import Cut, Wire

HELD_BYTES = 4 * 1024 * 1024
"""What may wait for our side to be reached, or for a delay to pass; a connection beyond it is cut."""

EARLY_S = 0.001
"""A timer may fire so much before its moment: the loop's clock has a grain."""


class House(Protocol):
    """What a link asks the probe."""

    record: Record

    def is_device(self, connect: mqtt5.ConnectPacket) -> bool:
        """Whether it is the device under test that connects."""
        ...

    def fate(self, link: "Link", direction: Direction, cut: Cut) -> Fate:
        """Decide what becomes of a packet."""
        ...

    def delay_s(self, direction: Direction) -> float:
        """How long packets of that direction are held back."""
        ...

    def rewritten(self, link: "Link", cut: Cut) -> Cut:
        """Return a packet to the device as the device is to see it."""
        ...

    def gone(self, link: "Link") -> None:
        """Hear that the link is over."""
        ...


class End(asyncio.Protocol):
    """One end of a link, with flow control towards the other end."""

    def __init__(self, link: "Link", direction: Direction) -> None:
        self._link, self._direction = link, direction
        self.transport: asyncio.Transport | None = None
        self.over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        self.transport = transport
        self._link.opened(self)

    def data_received(self, data: bytes) -> None:
        """Pass on what came."""
        self._link.came(self._direction, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other end too."""
        self.over = True
        self._link.ended(self._direction, exc)

    def pause_writing(self) -> None:
        """Let the other end read no more for a while."""
        other = self._link.other(self).transport
        if other is not None and not other.is_closing():
            other.pause_reading()

    def resume_writing(self) -> None:
        """Let it read on."""
        other = self._link.other(self).transport
        if other is not None and not other.is_closing():
            other.resume_reading()

    def write(self, data: bytes) -> None:
        """Send, where there still is somebody."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def close(self, *, abruptly: bool = False) -> None:
        """Close in order, or without a goodbye."""
        if self.transport is not None and not self.over:
            (self.transport.abort if abruptly else self.transport.close)()


class Link:
    """A pair of ends; `number` counts the device's connections, 0 until it is known by its CONNECT."""

    def __init__(self, house: House, loop: asyncio.AbstractEventLoop, dial: Callable[["Link"], None]) -> None:
        self.house = house
        self.number = 0
        self.own_ids: set[int] = set()
        self.silent = False
        self.stranger = False
        self.device, self.side = End(self, Direction.UP), End(self, Direction.DOWN)
        self.remark = ""
        self._loop, self._dial = loop, dial
        self._wires = {Direction.UP: Wire(None), Direction.DOWN: Wire(None)}
        self._late: dict[Direction, deque[tuple[float, bytes]]] = {way: deque() for way in Direction}
        self._held: list[bytes] = []
        self._reached = False

    @property
    def level(self) -> int:
        """The MQTT level that the device speaks; 0 until it is known."""
        return self._wires[Direction.UP].level or 0

    @property
    def standing(self) -> bool:
        """Whether the device's end still stands."""
        return not self.device.over and self.device.transport is not None

    def other(self, end: End) -> End:
        """Return the opposite end."""
        return self.side if end is self.device else self.device

    # -- what happens to the ends

    def opened(self, end: End) -> None:
        """An end is connected: dial our side, or send it what waited."""
        if end is self.device:
            tls = end.transport.get_extra_info("ssl_object") if end.transport is not None else None
            self.remark = " ".join((tls.version() or "", *(tls.cipher() or ())[:1])) if tls else "plain"
            self._dial(self)
            return
        self._reached = True
        for data in self._held:
            end.write(data)
        self._held.clear()

    def came(self, direction: Direction, data: bytes) -> None:
        """Cut what came into packets, and pass on each as the probe decides."""
        if self.stranger:
            self._put(direction, data)
            return
        for cut in self._wires[direction].feed(data):
            self._pass(direction, cut)

    def ended(self, direction: Direction, error: Exception | None) -> None:
        """One end is over: so is the other, but on a link where everything vanishes."""
        if self.number:
            who = "the device" if direction is Direction.UP else "our side"
            why = f"{who}: {error or 'closed'}"
            self.house.record.add(self.number, direction, "CLOSED", remark=why, level=self.level)
        if not self.silent:
            self._loop.call_soon((self.side if direction is Direction.UP else self.device).close)
        elif direction is Direction.UP:
            self.side.close(abruptly=True)
        if direction is Direction.UP:
            self.house.gone(self)

    def cut(self) -> None:
        """Break it on both sides without a goodbye."""
        self.device.close(abruptly=True)
        self.side.close(abruptly=True)

    # -- packets

    def _pass(self, direction: Direction, cut: Cut) -> None:
        if direction is Direction.UP and not self.number:
            self._greet(cut)
            if self.stranger:
                self._put(direction, cut.wire)
                return
        if direction is Direction.DOWN:
            cut = self.house.rewritten(self, cut)
        fate = self.house.fate(self, direction, cut)
        kind = "TEST" if _is_test(cut) else cut.kind
        if kind != "UNREAD":
            self.house.record.add(
                self.number,
                direction,
                kind,
                raw=cut.raw,
                packet=cut.packet,
                fate=fate,
                remark=cut.remark,
                level=self.level,
            )
        if fate is Fate.PASSED:
            self._put(direction, cut.wire)

    def _greet(self, cut: Cut) -> None:
        """Recognise the device by its CONNECT; what else comes first is the device's fault, and recorded."""
        if isinstance(cut.packet, mqtt5.ConnectPacket):
            self._wires[Direction.DOWN] = Wire(self.level)
            self.stranger = not self.house.is_device(cut.packet)
        if not self.stranger:
            self.number = self.house.record.next_link()
            self.house.record.add(self.number, Direction.UP, "OPEN", remark=self.remark)

    def send(self, data: bytes, kind: str, packet: mqtt5.Packet | None) -> None:
        """Put a packet of the probe's own on the way to the device."""
        self.house.record.add(
            self.number,
            Direction.DOWN,
            kind,
            raw=data,
            packet=packet,
            fate=Fate.MADE,
            level=self.level,
        )
        self._put(Direction.DOWN, data)

    def _put(self, direction: Direction, data: bytes) -> None:
        if self.silent:
            return
        delay_s, waiting = self.house.delay_s(direction), self._late[direction]
        if delay_s or waiting:
            due_s = self._loop.time() + delay_s
            waiting.append((max(due_s, waiting[-1][0]) if waiting else due_s, data))
            self._loop.call_at(waiting[-1][0], self._write_due, direction)
        else:
            self._write(direction, data)

    def _write_due(self, direction: Direction) -> None:
        """Send what was held back for long enough, in its order."""
        waiting, now_s = self._late[direction], self._loop.time() + EARLY_S
        while waiting and waiting[0][0] <= now_s:
            self._write(direction, waiting.popleft()[1])

    def _write(self, direction: Direction, data: bytes) -> None:
        if self.silent:
            return
        if direction is Direction.DOWN:
            self.device.write(data)
        elif self._reached:
            self.side.write(data)
        elif sum(map(len, self._held)) + len(data) > HELD_BYTES:
            self.cut()
        else:
            self._held.append(data)


def _is_test(cut: Cut) -> bool:
    """Whether it is the test hook's own traffic, which no clause is about."""
    return isinstance(cut.packet, mqtt5.PublishPacket) and cut.packet.topic.endswith(("/test", "/tested"))
