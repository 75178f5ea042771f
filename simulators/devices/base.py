"""What every simulated device has: an agenda in virtual time, a sequence, a link, a status, a heartbeat."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from math import log
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec

from gateway.contract.errors import ConfigurationError
from gateway.model.vocabulary import BATTERY_LOW_PERCENT, battery_word
from simulators.chance import Chance
from simulators.devices.product import CLOCK_UNSET, REPEATS, RETAINED, SEQUENCE_RESTARTS, Traits
from simulators.outputs import Link, Message, Output, Step

encode = msgspec.json.encode
Action = Callable[[datetime], Sequence[Output]]

SEQUENCE_EPOCH = 1_735_689_600
"""2025-01-01T00:00:00Z: a device's sequence starts at the seconds since then, so that a later run never
reuses a number as long as it sends less than one event a second on average."""

FRESH, IN_USE = (55, 98), (22, 100)
"""Charge in percent at the start: of a new device, and of one that has been in use for a while."""

FAR_DAYS = 400
"""Faults further ahead are not planned: no run is so long."""

NEVER_SET = datetime(2020, 1, 1, tzinfo=UTC)
"""The time a device tells that was never told the real one."""


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
    """Everything that makes one device this device; `name` is its part of the topic, `home_at` degrees.

    `traits` are its weaknesses. One that is not `alone` leaves the life of the home to its residents
    (`simulators.world.household`); alone it makes up a little of it by itself.
    """

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
    traits: Traits = Traits.NEAT
    alone: bool = True


class Device:
    """A small state machine: `wake(now)` does what is due and returns the steps; no clock, no socket.

    One that is `silent` (hung, or its battery empty) goes on inside, and nobody hears of it.
    """

    __slots__ = (
        *("profile", "id", "rng", "linked", "silent", "synced", "battery", "config_revision", "sequence"),
        *("_run", "_agenda", "_planned", "_held", "_booted_at", "_last", "_read_ms", "__weakref__"),
    )
    kind: ClassVar[str] = ""
    firmware: ClassVar[str] = "1.0.0"
    ACTIONS: ClassVar[frozenset[str]] = frozenset(
        {"switch_on", "go_down", "come_up", "hang", "fade", "reboot", "mend", "change_battery", "run_down"}
    )
    """What `act` lets happen to it: names of its methods."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.id = f"{profile.tenant}/{profile.name}"
        self.rng = Chance(profile.seed, profile.home, profile.name)
        self.linked = False
        self.silent = False
        self.synced = True
        self.battery = self.rng.uniform(*(FRESH if profile.traits is Traits.NEAT else IN_USE))
        self.config_revision = 0
        self.sequence = max(0, int(profile.started_at.timestamp()) - SEQUENCE_EPOCH)
        self._run = f"{int(profile.started_at.timestamp()):x}"
        self._agenda: list[tuple[datetime, int, Action, str]] = []
        self._planned = 0
        self._read_ms = 0
        self._held: list[Message] | None = None
        self._booted_at: datetime | None = None
        self._last: Message | None = None

    # -- the agenda

    def plan(self, at: datetime, action: Action, note: str = "") -> None:
        """Do that at that moment; of two things at one moment the first planned comes first."""
        self._planned += 1
        heappush(self._agenda, (at, self._planned, action, note))

    @property
    def next_at(self) -> datetime | None:
        """When it next does something by itself; None when it never will."""
        return self._agenda[0][0] if self._agenda else None

    def wake(self, now: datetime) -> list[Step]:
        """Do everything that is due, in order, and return what is heard of it."""
        steps: list[Step] = []
        agenda = self._agenda
        while agenda and agenda[0][0] <= now:
            at, _, action, note = heappop(agenda)
            quiet = self.silent
            done = [Step(at, self.id, output) for output in self._heard(action(at))]
            if note and not quiet:
                steps.append(Step(at, self.id, None, note))
            steps += done
        return steps

    def act(self, now: datetime, name: str, **values: Any) -> Sequence[Output]:
        """Let something happen to it now; ConfigurationError for what its kind cannot do."""
        if name not in self.ACTIONS:
            allowed = ", ".join(sorted(self.ACTIONS))
            raise ConfigurationError(f"{self.id}: act = {name!r}; allowed for {self.kind}: {allowed}")
        return self._heard(getattr(self, name)(now, **values))

    def _heard(self, outputs: Sequence[Output]) -> Sequence[Output]:
        """Return what leaves the device: nothing of a silent one, and later what a weak link holds back."""
        if self.silent:
            return [output for output in outputs if isinstance(output, Link)]
        if self._held is None:
            return outputs
        self._held += [output for output in outputs if isinstance(output, Message) and not output.retain]
        return [output for output in outputs if isinstance(output, Link)]

    @property
    def broken(self) -> bool:
        """Whether somebody who knows how would find something to mend."""
        return self.silent or not self.linked or self.battery < BATTERY_LOW_PERCENT

    # -- life that every device has

    def switch_on(self, now: datetime) -> list[Output]:
        """Boot: connect, say so, and start beating."""
        self.plan(now + self.beat_in(), self.beat)
        self.live(now)
        self._plan_faults(now)
        return self._boot(now)

    def live(self, now: datetime) -> None:
        """Plan the ordinary life of its kind from that moment; a plain device has none."""

    def come_up(self, now: datetime) -> list[Output]:
        """The link is there (again): connect, and say so on the retained status topic."""
        self.linked = True
        again = [self._last] if self._last is not None and REPEATS in self.profile.traits.quirks else []
        return [Link(up=True), self.status(now), *again]

    def go_down(self, _now: datetime) -> list[Output]:
        """The link breaks without a goodbye; what happens from now on is kept for later."""
        self.linked = False
        return [Link(up=False)]

    def hang(self, _now: datetime) -> list[Output]:
        """The program stops while the connection stays: nothing more is ever said."""
        self.silent = True
        return []

    def fade(self, now: datetime, for_s: float) -> list[Output]:
        """The radio is lost for a while and nobody notices: what happens is heard late, in order."""
        if self._held is None:
            self._held = []
            self.plan(now + timedelta(seconds=for_s), self._clear)
        return []

    def reboot(self, now: datetime) -> list[Output]:
        """Start again; it is back within two minutes."""
        self.plan(now + timedelta(seconds=self.rng.uniform(20, 110)), self._boot)
        return self.go_down(now)

    def mend(self, now: datetime) -> list[Output]:
        """Somebody who knows how has looked after it: it works, has a link and a charged battery."""
        away = self.silent or not self.linked
        self.silent = False
        full = self.change_battery(now) if self.battery < BATTERY_LOW_PERCENT else []
        return [*(self._boot(now) if away else ()), *full]

    def change_battery(self, now: datetime) -> list[Output]:
        """A full battery is put in."""
        was_dead = self.battery <= 0
        self.battery = 100.0
        if was_dead:
            self.silent = False
        back = self._boot(now) if was_dead else []
        return [*back, self.event(now, "battery.ok", battery_percent=100.0)]

    def run_down(self, now: datetime, percent: float = 0) -> list[Output]:
        """The battery falls to that charge: low, critical, or dead."""
        return self._discharge(now, self.battery - percent)

    def beat(self, now: datetime) -> list[Output]:
        """Say that it is alive; a device without a link keeps no heartbeats for later."""
        wait = self.beat_in()
        self.plan(now + wait, self.beat)
        days = self.profile.traits.battery_days
        said = self._discharge(now, wait.total_seconds() / 864 / days) if days else []
        if not self.linked or self.silent or self._held is not None:
            return said
        alive: Output = self.event(now, "heartbeat", battery_percent=round(self.battery, 1), link="mqtt")
        return [alive, *said]

    def beat_in(self) -> timedelta:
        """Return the time to the next heartbeat: its interval, a little early at random."""
        return timedelta(seconds=round(self.profile.heartbeat_s * self.rng.uniform(0.85, 0.98), 3))

    def _boot(self, now: datetime) -> list[Output]:
        quirks = self.profile.traits.quirks
        if SEQUENCE_RESTARTS in quirks:
            self.sequence = 0
        self._run = f"{int(now.timestamp()):x}"
        said = [*self.state(now)] if RETAINED in quirks else []
        if CLOCK_UNSET in quirks:
            self._booted_at, self.synced = now, False
            self.plan(now + timedelta(seconds=self.rng.uniform(30, 180)), self._set_clock)
        return [*self.come_up(now), *said]

    def state(self, _now: datetime) -> list[Output]:
        """Return the state it tells with the retain flag when it boots, if its firmware does."""
        return []

    def _set_clock(self, _now: datetime) -> list[Output]:
        self._booted_at, self.synced = None, True
        return []

    def _clear(self, _now: datetime) -> list[Output]:
        kept, self._held = self._held or [], None
        return [*kept]

    def _discharge(self, now: datetime, percent: float) -> list[Output]:
        """Use up charge; tells when it becomes low or critical, and falls silent at nothing."""
        before, self.battery = self.battery, max(0.0, self.battery - percent)
        if self.battery <= 0 < before:
            self.silent, self.linked = True, False
            return [Link(up=False)]
        word = battery_word(self.battery)
        if word == battery_word(before) or before <= 0:
            return []
        return [self.event(now, word, battery_percent=round(self.battery, 1))]

    def _plan_faults(self, now: datetime) -> None:
        """Plan the next of each fault that its product has."""
        product = self.profile.traits.product
        if product is not None:
            weak = product.fades_per_day if self.profile.traits.weak else 0
            for per_day, action in (
                (weak, self._fade_at_random),
                (product.reboots_per_year / 365, self._reboot_at_random),
                (product.hangs_per_year / 365, self.hang),
                (product.jams_per_year / 365, self._jam_at_random),
            ):
                self._once_in(now, per_day, action)

    def _once_in(self, now: datetime, per_day: float, action: Action) -> None:
        if per_day:
            days = -log(1 - self.rng.random()) / per_day
            if days < FAR_DAYS:
                self.plan(now + timedelta(days=days), action)

    def _fade_at_random(self, now: datetime) -> list[Output]:
        product = self.profile.traits.product
        self._once_in(now, product.fades_per_day if product else 0, self._fade_at_random)
        return self.fade(now, round(20 * 45 ** self.rng.random(), 3))

    def _reboot_at_random(self, now: datetime) -> list[Output]:
        product = self.profile.traits.product
        self._once_in(now, product.reboots_per_year / 365 if product else 0, self._reboot_at_random)
        return [] if self.silent else self.reboot(now)

    def _jam_at_random(self, now: datetime) -> list[Output]:
        product = self.profile.traits.product
        self._once_in(now, product.jams_per_year / 365 if product else 0, self._jam_at_random)
        return self.jam(now)

    def jam(self, _now: datetime) -> list[Output]:
        """The mechanism sticks, of a kind that has one."""
        return []

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
        """Return the moment as the device writes it: RFC 3339, local offset, milliseconds, its own clock."""
        profile = self.profile
        if self._booted_at is not None:
            now = NEVER_SET + (now - self._booted_at)
        elif profile.traits.drift_ppm:
            now += (now - profile.started_at) * (profile.traits.drift_ppm / 1e6)
        return now.astimezone(profile.zone).isoformat(timespec="milliseconds")

    def event(self, now: datetime, kind: str, **data: object) -> Message:
        """Make one event; values of None are left out."""
        self.sequence += 1
        made = Message(self.topic("event"), encode(self._envelope(now, kind, data)))
        if self.profile.traits.quirks:
            self._last = made
        return made

    def _envelope(self, now: datetime, kind: str, data: Mapping[str, object]) -> dict[str, object]:
        return {
            "specversion": "1.0",
            "id": f"{self._run}-{self.sequence}",
            "source": f"vaka:{self.id}",
            "type": f"vaka.{kind}.v1",
            "time": self.time(now),
            "sequence": self.sequence,
            "clockquality": "synced" if self.synced and not self.profile.traits.drift_ppm else "unsynced",
            "data": {key: value for key, value in data.items() if value is not None},
        }

    def reading(self, now: datetime, kind: str, **data: object) -> dict[str, object]:
        """Make one measurement for a telemetry batch."""
        self._read_ms = max(int(now.timestamp() * 1000), self._read_ms + 1)  # two of one moment are two
        key = f"{self._run}-r{self._read_ms:x}"
        return {"type": f"vaka.{kind}.v1", "time": self.time(now), "data": data, "id": key}

    def telemetry(self, readings: Sequence[Mapping[str, object]], qos: int = 1) -> Message:
        """Make one batch of measurements."""
        return Message(self.topic("telemetry"), encode({"readings": readings}), qos)

    def status(self, now: datetime, state: str = "online") -> Message:
        """Make the retained status."""
        said = {
            "state": state,
            "time": self.time(now),
            "firmware": self.firmware,
            "battery": round(self.battery, 1),
            "config_revision": self.config_revision,
        }
        return Message(self.topic("status"), encode(said), 1, retain=True)

    def will(self) -> Message:
        """Make the last will: spoken by the broker when the link breaks without a goodbye."""
        said = {"state": "offline", "reason": "connection lost"}
        return Message(self.topic("status"), encode(said), 1, retain=True)

    def result(self, now: datetime, command: Mapping[str, Any], outcome: str, reason: str = "") -> Message:
        """Make the outcome of a command: done, rejected, expired or failed, and why."""
        said = {"id": command.get("id"), "outcome": outcome, "reason": reason, "time": self.time(now)}
        return Message(self.topic("result"), encode(said))


def fields(payload: bytes) -> dict[str, Any]:
    """Read a JSON object that the gateway sent; anything else is an empty one."""
    try:
        found = msgspec.json.decode(payload)
    except msgspec.MsgspecError:
        return {}
    return found if isinstance(found, dict) else {}
