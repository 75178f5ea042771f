"""What every simulated device has: an agenda in virtual time, a sequence, a link, a status, a heartbeat."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec

from gateway.contract.errors import ConfigurationError
from simulators.chance import stream
from simulators.outputs import Link, Message, Output, Step

Action = Callable[[datetime], Sequence[Output]]

SEQUENCE_EPOCH = 1_735_689_600
"""2025-01-01T00:00:00Z: a device's sequence starts at the seconds since then, so that a later run never
reuses a number as long as it sends less than one event a second on average."""


class Daily(msgspec.Struct, frozen=True):
    """A planned time of every day, local, and how long it lasts."""

    ref: str
    hour: int
    minute: int
    minutes: float

    def on(self, day: datetime) -> datetime:
        """Return the moment on that local day."""
        return day.replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that makes one device this device; `name` is its part of the topic, `home_at` degrees."""

    seed: int
    tenant: str
    name: str
    home: str
    zone: ZoneInfo
    started_at: datetime
    heartbeat_s: float = 300
    home_at: tuple[float, float] | None = None
    radius_m: float = 500
    doses: tuple[Daily, ...] = ()
    looks: tuple[Daily, ...] = ()


class Device:
    """A small state machine: `wake(now)` does what is due and returns the steps; no clock, no socket."""

    kind: ClassVar[str] = ""
    firmware = "1.0.0"
    ACTIONS: ClassVar[frozenset[str]] = frozenset({"switch_on", "go_down", "come_up", "hang"})
    """What `act` lets happen to it: names of its methods."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.id = f"{profile.tenant}/{profile.name}"
        self.rng = stream(profile.seed, profile.home, profile.name)
        self.linked = False
        self.silent = False
        self.synced = True
        self.battery = float(self.rng.randint(55, 98))
        self.config_revision = 0
        self.sequence = max(0, int(profile.started_at.timestamp()) - SEQUENCE_EPOCH)
        self._run = f"{int(profile.started_at.timestamp()):x}"
        self._agenda: list[tuple[datetime, int, Action, str]] = []
        self._order = count()

    # -- the agenda

    def plan(self, at: datetime, action: Action, note: str = "") -> None:
        """Do that at that moment; of two things at one moment the first planned comes first."""
        heappush(self._agenda, (at, next(self._order), action, note))

    @property
    def next_at(self) -> datetime | None:
        """When it next does something by itself; None when it never will."""
        return self._agenda[0][0] if self._agenda and not self.silent else None

    def wake(self, now: datetime) -> list[Step]:
        """Do everything that is due, in order, and return what it did."""
        steps: list[Step] = []
        while self._agenda and self._agenda[0][0] <= now and not self.silent:
            at, _, action, note = heappop(self._agenda)
            done = [Step(at, self.id, output) for output in action(at)]
            steps += [Step(at, self.id, None, note), *done] if note else done
        return steps

    def act(self, now: datetime, name: str, **values: Any) -> Sequence[Output]:
        """Let something happen to it now; ConfigurationError for what its kind cannot do."""
        if name not in self.ACTIONS:
            allowed = ", ".join(sorted(self.ACTIONS))
            raise ConfigurationError(f"{self.id}: act = {name!r}; allowed for {self.kind}: {allowed}")
        found: Sequence[Output] = getattr(self, name)(now, **values)
        return found

    # -- life that every device has

    def switch_on(self, now: datetime) -> list[Output]:
        """Boot: connect, say so, and start beating."""
        self.plan(now + self.beat_in(), self.beat)
        self.live(now)
        return self.come_up(now)

    def live(self, now: datetime) -> None:
        """Plan the ordinary life of its kind from that moment; a plain device has none."""

    def come_up(self, now: datetime) -> list[Output]:
        """The link is there (again): connect, and say so on the retained status topic."""
        self.linked = True
        return [Link(up=True), self.status(now)]

    def go_down(self, _now: datetime) -> list[Output]:
        """The link breaks without a goodbye; what happens from now on is kept for later."""
        self.linked = False
        return [Link(up=False)]

    def hang(self, _now: datetime) -> list[Output]:
        """The program stops while the connection stays: nothing more is ever said."""
        self.silent = True
        return []

    def beat(self, now: datetime) -> list[Output]:
        """Say that it is alive; a device without a link keeps no heartbeats for later."""
        self.plan(now + self.beat_in(), self.beat)
        self.battery = max(5.0, self.battery - 0.01)
        if not self.linked:
            return []
        return [self.event(now, "heartbeat", battery_percent=round(self.battery, 1), link="mqtt")]

    def beat_in(self) -> timedelta:
        """Return the time to the next heartbeat: its interval, a little early at random."""
        return timedelta(seconds=round(self.profile.heartbeat_s * self.rng.uniform(0.85, 0.98), 3))

    # -- what the gateway says to it

    def configure(self, now: datetime, payload: bytes) -> list[Output]:
        """Take the retained configuration and confirm its revision on the status topic."""
        wanted = fields(payload)
        revision = wanted.get("revision")
        if not isinstance(revision, int) or revision == self.config_revision:
            return []
        self.config_revision = revision
        return [self.status(now)]

    def command(self, now: datetime, payload: bytes) -> list[Output]:
        """Answer a command: a plain device knows none and says so."""
        return [self.result(now, fields(payload), "rejected", "this device takes no such command")]

    # -- messages of the standard device interface

    def topic(self, leaf: str) -> str:
        """Return the device's own topic with that ending."""
        return f"vaka/1/{self.id}/{leaf}"

    def time(self, now: datetime) -> str:
        """Return the moment as the device writes it: RFC 3339, local offset, milliseconds."""
        return now.astimezone(self.profile.zone).isoformat(timespec="milliseconds")

    def event(self, now: datetime, kind: str, **data: object) -> Message:
        """Make one event; values of None are left out."""
        self.sequence += 1
        return Message(self.topic("event"), msgspec.json.encode(self._envelope(now, kind, data)))

    def _envelope(self, now: datetime, kind: str, data: Mapping[str, object]) -> dict[str, object]:
        return {
            "specversion": "1.0",
            "id": f"{self._run}-{self.sequence}",
            "source": f"vaka:{self.id}",
            "type": f"vaka.{kind}.v1",
            "time": self.time(now),
            "sequence": self.sequence,
            "clockquality": "synced" if self.synced else "unsynced",
            "data": {key: value for key, value in data.items() if value is not None},
        }

    def reading(self, now: datetime, kind: str, **data: object) -> dict[str, object]:
        """Make one measurement for a telemetry batch."""
        key = f"{self._run}-r{int(now.timestamp() * 1000):x}"
        return {"type": f"vaka.{kind}.v1", "time": self.time(now), "data": data, "id": key}

    def telemetry(self, readings: Sequence[Mapping[str, object]], qos: int = 1) -> Message:
        """Make one batch of measurements."""
        return Message(self.topic("telemetry"), msgspec.json.encode({"readings": readings}), qos)

    def status(self, now: datetime, state: str = "online") -> Message:
        """Make the retained status."""
        said = {
            "state": state,
            "time": self.time(now),
            "firmware": self.firmware,
            "battery": round(self.battery, 1),
            "config_revision": self.config_revision,
        }
        return Message(self.topic("status"), msgspec.json.encode(said), 1, retain=True)

    def will(self) -> Message:
        """Make the last will: spoken by the broker when the link breaks without a goodbye."""
        said = {"state": "offline", "reason": "connection lost"}
        return Message(self.topic("status"), msgspec.json.encode(said), 1, retain=True)

    def result(self, now: datetime, command: Mapping[str, Any], outcome: str, reason: str = "") -> Message:
        """Make the outcome of a command: done, rejected, expired or failed, and why."""
        said = {"id": command.get("id"), "outcome": outcome, "reason": reason, "time": self.time(now)}
        return Message(self.topic("result"), msgspec.json.encode(said))


def fields(payload: bytes) -> dict[str, Any]:
    """Read a JSON object that the gateway sent; anything else is an empty one."""
    try:
        found = msgspec.json.decode(payload)
    except msgspec.MsgspecError:
        return {}
    return found if isinstance(found, dict) else {}
