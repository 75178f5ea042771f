"""What lies between devices and gateway, with its faults: connections that break, messages under way."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random

import msgspec
from msgspec.structs import replace

from simulators.chance import stream
from simulators.devices import Device
from simulators.faults.active import Active
from simulators.faults.copies import travel, written
from simulators.faults.spec import Battery, ClockFault, Loss, Outage
from simulators.faults.when import length
from simulators.house.port import Arrival
from simulators.outputs import Link, Message

AT_ONCE = timedelta(0)
KEEP_ALIVE = timedelta(seconds=90)
"""When the gateway sees that a connection broke which nobody closed: one and a half times 60 s."""
ACKNOWLEDGED_WITHIN = timedelta(seconds=60)
"""A device that has waited so much longer than the way takes connects anew, and sends again."""
OWN, GATEWAY, LOST = "own", "gateway", "lost"
"""Why a line is down, where no outage of a file holds it down."""


class Kept(msgspec.Struct):
    """A message with QoS 1 that its device keeps until it is acknowledged."""

    message: Message
    sent: bool = False


class Sent(msgspec.Struct, frozen=True):
    """A message as its device made it."""

    at: datetime
    device: str
    message: Message


class Line(msgspec.Struct):
    """One device's connection: what holds it down, what is kept, and when the last message in order arrives.

    `seen` is what the gateway knows of it.
    """

    rng: Random
    down: set[str]
    kept: dict[int, Kept]
    latest: datetime
    seen: bool = False


class Thing(msgspec.Struct):
    """Something that will happen: an arrival, a line that comes up or is seen broken, a fault that turns."""

    what: str
    device: str = ""
    why: str = ""
    token: int = 0
    arrival: Arrival | None = None
    active: Active | None = None


class Faulty:
    """A `Medium`: devices keep what is not acknowledged and send it again with DUP; QoS 0 is lost.

    `log` holds for each token whose message it was and when it was made, `told` when the gateway first
    acknowledged it, `came` the payloads of it that arrived.
    """

    def __init__(
        self, devices: Mapping[str, Device], faults: Sequence[Active], seed: int, start: datetime
    ) -> None:
        self._devices, self._faults, self._now = devices, list(faults), start
        self.patience = ACKNOWLEDGED_WITHIN
        self._agenda: list[tuple[datetime, int, Thing]] = []
        self._order, self._tokens = count(), count(1)
        self._chances: dict[tuple[str, str], Random] = {}
        self._lines = {name: Line(stream(seed, "medium", name), {OWN}, {}, start) for name in sorted(devices)}
        self._dead = [one for one in faults if isinstance(one.fault, Battery)]
        self._clocks = [one for one in faults if isinstance(one.fault, ClockFault)]
        self._losses = [one for one in faults if isinstance(one.fault, Loss)]
        self._storm = any(isinstance(one.fault, Outage) and one.fault.kind == "storm" for one in faults)
        self.log: dict[int, Sent] = {}
        self.came: dict[int, list[bytes]] = {}
        self.told: dict[int, datetime] = {}
        for fault in faults:
            if isinstance(fault.fault, Battery | Outage):
                self._later(fault.begins, Thing("break", active=fault))
                self._later(fault.ends, Thing("mend", active=fault))

    # --- Medium ---

    def carry(self, at: datetime, device: str, message: Message) -> None:
        """Take what a device sends: on its way at once, or kept until there is a connection."""
        self._now = max(self._now, at)
        if any(one.holds(at, device) for one in self._dead):
            return
        line = self._lines[device]
        wrong = [one for one in self._clocks if one.holds(at, device)]
        if wrong:
            message = replace(message, payload=written(message.payload, at, wrong))
        if not message.qos:
            if not line.down:
                self._send(at, device, message, 0, again=False)
            return
        token = next(self._tokens)
        self.log[token] = Sent(at, device, message)
        line.kept[token] = Kept(message)
        if not line.down:
            self._send_kept(at, device, [token])

    def link(self, at: datetime, device: str, *, up: bool) -> None:
        """Hear that a device's own link comes up, or breaks."""
        self._now = max(self._now, at)
        if up:
            self._let_up(at, device, OWN)
        else:
            self._hold_down(at, device, OWN, AT_ONCE)

    def next_at(self) -> datetime | None:
        """Return when something next arrives, or changes."""
        while self._agenda:
            at, _, thing = self._agenda[0]
            if thing.what != "retry" or thing.token in self._lines[thing.device].kept:
                return at
            heappop(self._agenda)  # acknowledged since
        return None

    def arrivals(self, now: datetime) -> Sequence[Arrival]:
        """Return what has arrived by then, in order."""
        self._now = max(self._now, now)
        found: list[Arrival] = []
        while (at := self.next_at()) is not None and at <= now:
            thing = heappop(self._agenda)[2]
            if thing.arrival is None:
                self._happen(at, thing)
            elif GATEWAY not in self._lines[thing.arrival.device].down:
                found.append(thing.arrival)
                self._note(thing.arrival)
        return found

    def acknowledged(self, tokens: Sequence[int]) -> None:
        """Hear what is on disk; an acknowledgement can be lost like a message."""
        for token in tokens:
            device = self.log[token].device
            self.told.setdefault(token, self._now)
            if any(self._is_lost(one, device) for one in self._losses):
                self._lose(self._now, device)
            else:
                self._lines[device].kept.pop(token, None)

    # --- faults by hand ---

    def begin(self, active: Active) -> None:
        """Let a fault that no file foresaw begin now."""
        self._faults.append(active)
        fault = active.fault
        for kinds, known in ((Battery, self._dead), (ClockFault, self._clocks), (Loss, self._losses)):
            if isinstance(fault, kinds):
                known.append(active)
        if isinstance(fault, Battery | Outage):
            self._later(active.begins, Thing("break", active=active))

    def end(self, kind: str, at: datetime) -> int:
        """End every fault of that kind that is in force, also one of the file; return how many."""
        over = [
            one
            for one in self._faults
            if getattr(one.fault, "kind", "") == kind and one.begins <= at < one.ends
        ]
        for known in (self._faults, self._dead, self._clocks, self._losses):
            known[:] = [one for one in known if one not in over]
        for one in over:
            if isinstance(one.fault, Battery | Outage):
                self._later(at, Thing("mend", active=one))
        return len(over)

    # --- the gateway's own end ---

    def gateway_down(self, at: datetime) -> None:
        """The gateway is gone: connections break, what is under way is lost, no will is spoken."""
        self._now = max(self._now, at)
        for device in self._lines:
            self._hold_down(at, device, GATEWAY, None)
            self._lines[device].seen = False

    def gateway_up(self, at: datetime) -> None:
        """The gateway is back: devices come within a minute, or all at once where there is a storm."""
        for device, line in self._lines.items():
            wait_s = 0.0 if self._storm else line.rng.uniform(0.2, 60)
            self._later(_after(at, wait_s), Thing("up", device, GATEWAY))

    # --- lines ---

    def _happen(self, at: datetime, thing: Thing) -> None:
        line = self._lines.get(thing.device)
        if thing.active is not None:
            self._turn(at, thing.active, breaks=thing.what == "break")
        elif thing.what == "up":
            self._let_up(at, thing.device, thing.why)
        elif thing.what == "retry":
            if line is not None and not line.down:
                self._lose(at, thing.device)
        elif line is not None and line.seen and line.down:
            line.seen = False
            self._later(at, Thing("arrive", arrival=Arrival(at, thing.device, Link(up=False))))

    def _turn(self, at: datetime, active: Active, *, breaks: bool) -> None:
        """Begin or end an outage for all its devices."""
        fault = active.fault
        spread_s = length(fault.spread).total_seconds() if isinstance(fault, Outage) else 0.0
        kind = fault.kind if isinstance(fault, Outage) else ""
        for device in sorted(active.devices):
            if breaks:
                self._hold_down(at, device, fault.id, None if kind == "broker" else KEEP_ALIVE)
            else:
                wait_s = 0.0 if kind == "storm" else self._lines[device].rng.uniform(0, spread_s)
                self._later(_after(at, wait_s), Thing("up", device, fault.id))

    def _hold_down(self, at: datetime, device: str, why: str, seen_in: timedelta | None) -> None:
        line = self._lines[device]
        line.down.add(why)
        if why != OWN:
            self._devices[device].linked = False
        if line.seen and seen_in is not None:
            self._later(at + seen_in, Thing("seen", device))

    def _let_up(self, at: datetime, device: str, why: str) -> None:
        """Take one reason away; with the last, the device connects, sends what it kept, and says so."""
        line = self._lines[device]
        if why not in line.down:
            return
        line.down.discard(why)
        if line.down:
            return
        if not line.seen:
            line.seen = True
            self._later(at, Thing("arrive", arrival=Arrival(at, device, Link(up=True))))
        self._send_kept(at, device, list(line.kept))
        if why not in {OWN, LOST}:
            for output in self._devices[device].come_up(at):
                if isinstance(output, Message):
                    self.carry(at, device, output)

    # --- messages under way ---

    def _send_kept(self, at: datetime, device: str, tokens: Iterable[int]) -> None:
        line = self._lines[device]
        for token in tokens:
            kept = line.kept[token]
            again, kept.sent = kept.sent, True
            if not line.down:
                arrives = self._send(at, device, kept.message, token, again=again)
                self._later(arrives + self.patience, Thing("retry", device, token=token))

    def _send(self, at: datetime, device: str, message: Message, token: int, *, again: bool) -> datetime:
        """Put a message on its way through the faults it meets; return when its last copy arrives."""
        line = self._lines[device]
        meets = [(one, self._chance(one, device)) for one in self._faults if one.holds(at, device)]
        copies = travel(message.payload, at, meets)
        last = at
        for copy in copies:
            arrives = _after(at, copy.wait_s)
            if not copy.free:
                arrives = line.latest = max(arrives, line.latest)
            carried = replace(message, payload=copy.payload)
            arrival = Arrival(arrives, device, carried, again or copy.again, token)
            self._later(arrives, Thing("arrive", arrival=arrival))
            last = max(last, arrives)
        if token and not copies:
            self._lose(at, device)
        return last

    def _note(self, arrival: Arrival) -> None:
        if arrival.token and isinstance(arrival.message, Message):
            self.came.setdefault(arrival.token, []).append(arrival.message.payload)

    def _lose(self, at: datetime, device: str) -> None:
        """The connection breaks with what was lost on it; the device is back within half a minute."""
        line = self._lines[device]
        if LOST not in line.down:
            line.down.add(LOST)
            self._later(_after(at, line.rng.uniform(2, 30)), Thing("up", device, LOST))

    def _is_lost(self, active: Active, device: str) -> bool:
        fault = active.fault
        if not isinstance(fault, Loss) or not active.holds(self._now, device):
            return False
        return self._chance(active, device).random() < fault.chance / 2

    def _later(self, at: datetime, thing: Thing) -> None:
        heappush(self._agenda, (at, next(self._order), thing))

    def _chance(self, active: Active, device: str) -> Random:
        key = (active.fault.id, device)
        found = self._chances.get(key)
        if found is None:
            found = self._chances[key] = active.chance(device)
        return found


def _after(at: datetime, seconds: float) -> datetime:
    return at + timedelta(seconds=round(seconds, 3))
