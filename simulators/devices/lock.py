"""A digital lock with a door sensor: staff visits, commands with an expiry, a bolt that can jam."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from msgspec.structs import replace

from simulators.devices.base import Device, Profile, fields
from simulators.outputs import Output

WAYS = ("phone", "phone", "tag", "code")
"""By what staff open doors, the usual one twice."""

DO = {"lock": "lock.locked", "unlock": "lock.unlocked"}
"""Commands it takes, and the event that each gives."""


class Lock(Device):
    """Locked from the start; `quiet` when the script alone decides who visits."""

    __slots__ = ("_done", "_visits", "jammed", "locked", "quiet")
    kind: ClassVar[str] = "lock"
    ACTIONS: ClassVar[frozenset[str]] = Device.ACTIONS | {
        "unlock",
        "lock",
        "jam",
        "free",
        "night_exit",
        "visit",
        "go_out",
    }
    firmware = "3.2.1"

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self.locked = True
        self.jammed = False
        self.quiet = False
        self._visits = 0
        self._done: dict[str, str] = {}

    def live(self, now: datetime) -> None:
        """Two ordinary staff visits in the evening, each locked behind the visitor."""
        if self.quiet or not self.profile.alone:
            return
        self.plan_visit(now + timedelta(minutes=self.rng.uniform(12, 70)))
        self.plan_visit(now + timedelta(minutes=self.rng.uniform(100, 170)))

    def visit(
        self, now: datetime, credential: str, minutes: float, *, forget: bool = False, ref: str = ""
    ) -> list[Output]:
        """Staff come now, and stay so long."""
        self.plan_visit(now, minutes=minutes, forget=forget, credential=credential, ref=ref)
        return []

    def plan_visit(
        self,
        at: datetime,
        *,
        minutes: float | None = None,
        forget: bool = False,
        credential: str = "",
        ref: str = "",
    ) -> None:
        """Plan a visit: checked in, unlocked, out again, and locked unless forgotten."""
        self._visits += 1
        visit = ref or f"visit-{self.profile.name}-{int(at.timestamp()) // 60 % 10_000_000}-{self._visits}"
        who = credential or f"cred-{self.rng.randint(1, 40):03d}"
        means = "phone" if forget else self.rng.choice(WAYS)
        lasts = timedelta(minutes=self.rng.uniform(9, 22) if minutes is None else minutes)
        entered = at + timedelta(seconds=20)
        left = entered + lasts
        s = timedelta(seconds=1)
        self.plan(at, lambda t: [self.event(t, "visit.started", visit=visit, credential=who)])
        self.plan(entered, lambda t: self.unlock(t, means, who, visit))
        self.plan(entered + 4 * s, lambda t: [self.event(t, "door.opened")])
        self.plan(entered + 12 * s, lambda t: [self.event(t, "door.closed", open_s=8.0)])
        self.plan(left, lambda t: [self.event(t, "door.opened")])
        self.plan(left + 9 * s, lambda t: [self.event(t, "door.closed", open_s=9.0)])
        if not forget:
            self.plan(left + 15 * s, lambda t: self.lock(t, "automatic"))
        note = f"{self.id}: visit over, the door is left unlocked" if forget else ""
        self.plan(left + 30 * s, lambda t: [self.event(t, "visit.ended", visit=visit, credential=who)], note)

    def unlock(
        self, now: datetime, means: str, credential: str | None = None, visit: str | None = None
    ) -> list[Output]:
        """Turn the bolt back."""
        self.locked = False
        return [self.event(now, "lock.unlocked", means=means, credential=credential, visit=visit)]

    def lock(self, now: datetime, means: str, credential: str | None = None) -> list[Output]:
        """Turn the bolt out; a jammed bolt says so instead."""
        if self.jammed:
            return [self.event(now, "lock.jammed", means=means)]
        self.locked = True
        return [self.event(now, "lock.locked", means=means, credential=credential)]

    def jam(self, now: datetime) -> list[Output]:
        """The bolt meets the frame."""
        self.jammed = True
        return self.lock(now, "automatic")

    def free(self, now: datetime) -> list[Output]:
        """Somebody pushed the door to; the bolt turns."""
        self.jammed = False
        return self.lock(now, "inside_knob")

    def go_out(self, now: datetime, for_s: float = 20, *, forget: bool = False) -> list[Output]:
        """A resident or a guest opens from inside, and locks behind unless forgotten."""
        seconds = round(for_s, 1)
        self.plan(now + timedelta(seconds=3), lambda t: [self.event(t, "door.opened")])
        closed = now + timedelta(seconds=3 + seconds)
        self.plan(closed, lambda t: [self.event(t, "door.closed", open_s=seconds)])
        if not forget:
            self.plan(closed + timedelta(seconds=6), lambda t: self.lock(t, "automatic"))
        return self.unlock(now, "inside_knob")

    def state(self, now: datetime) -> list[Output]:
        """The bolt, with the retain flag, as it stood: it is no news."""
        said = self.event(now, "lock.locked" if self.locked else "lock.unlocked", means="unknown")
        return [replace(said, retain=True)]

    @property
    def broken(self) -> bool:
        """Also when the mechanism sticks."""
        return self.jammed or super().broken

    def mend(self, now: datetime) -> list[Output]:
        """Also the bolt turns again."""
        freed = self.free(now) if self.jammed else []
        return [*super().mend(now), *freed]

    def night_exit(self, now: datetime) -> list[Output]:
        """Somebody opens from inside; the door opens five seconds later, and stays so for a while."""
        self.plan(now + timedelta(seconds=5), lambda t: [self.event(t, "door.opened")])
        self.plan(now + timedelta(seconds=245), lambda t: [self.event(t, "door.closed", open_s=240.0)])
        self.plan(now + timedelta(seconds=260), lambda t: self.lock(t, "inside_knob"))
        return self.unlock(now, "inside_knob")

    def command(self, now: datetime, payload: bytes) -> list[Output]:
        """Lock or unlock; the same command id is carried out once and answered as often as it is sent."""
        wanted = fields(payload)
        key = str(wanted.get("id", ""))
        if key in self._done:
            return [self.result(now, wanted, self._done[key])]
        outputs, outcome, reason = self._obey(now, wanted)
        if key:
            self._done[key] = outcome
        return [*outputs, self.result(now, wanted, outcome, reason)]

    def _obey(self, now: datetime, wanted: dict[str, Any]) -> tuple[list[Output], str, str]:
        do, expires = wanted.get("do"), _moment(wanted.get("expires"))
        if do not in DO or not wanted.get("id"):
            return [], "rejected", "allowed: id, do = lock | unlock, expires"
        if expires is None:
            return [], "rejected", "a command needs expires, RFC 3339 with offset"
        if expires <= now:
            return [], "expired", "it came after its expiry"
        if self.jammed:
            return self.lock(now, "remote"), "failed", "the bolt is jammed"
        return (self.lock(now, "remote") if do == "lock" else self.unlock(now, "remote")), "done", ""


def _moment(said: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return found if found.tzinfo else None
