"""A supervision camera: looks only at agreed times, and tells that a look was made and how it ended."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

from simulators.devices.base import Daily, Device, Profile
from simulators.outputs import Message, Output

Sees = Callable[[datetime], str]
"""What a look at that moment finds: seen, not_visible, abnormal, or declined for nobody at home."""


class Camera(Device):
    """`script` says for a slot what its looks find, one after another; an empty list means no look at all.

    Without a word in the script it finds what `sees` says of that moment, or else the person. A look
    that finds nobody is repeated after 15 minutes.
    """

    __slots__ = ("script", "sees")
    kind: ClassVar[str] = "camera"
    ACTIONS: ClassVar[frozenset[str]] = Device.ACTIONS | {"stray"}
    firmware = "6.4.0"
    second_look_min = 15

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self.script: dict[str, list[str]] = {}
        self.sees: Sees | None = None

    def live(self, now: datetime) -> None:
        """Plan the looks from now on, and tomorrow's at midnight; in a lived-in home also the present one."""
        day = now.astimezone(self.profile.zone)
        for slot in self.profile.looks:
            at = slot.on(day) + timedelta(minutes=round(self.rng.uniform(0.1, 0.6) * slot.minutes, 3))
            if slot.on(day) > now:
                self.plan(at, partial(self.look, slot=slot))
            elif not self.profile.alone and now < slot.on(day) + timedelta(minutes=slot.minutes):
                self.plan(now + timedelta(seconds=self.rng.uniform(5, 120)), partial(self.look, slot=slot))
        self.plan(
            (day + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0), self._midnight
        )

    def _midnight(self, now: datetime) -> list[Output]:
        self.live(now)
        return []

    def look(self, now: datetime, slot: Daily) -> list[Output]:
        """Look once for some thirty seconds: stream opened under a grant, outcome, closed."""
        wanted = self.script.get(slot.ref)
        if wanted == [] or not self.linked:
            return []
        found = "seen" if self.sees is None else self.sees(now)
        outcome = wanted.pop(0) if wanted else found
        if wanted is None and outcome == "not_visible":
            again = now + timedelta(minutes=self.second_look_min)
            self.plan(again, partial(self.look, slot=slot))
        if outcome == "declined":
            return [self.event(now, "supervision.declined", slot=slot.ref)]
        if wanted:
            self.plan(now + timedelta(minutes=self.second_look_min), lambda t: self.look(t, slot))
        elif wanted == []:
            del self.script[slot.ref]
        seconds = round(self.rng.uniform(20, 40), 1)
        grant = f"grant-{self.profile.name}-{int(now.timestamp()) // 60 % 10_000_000}"
        done = now + timedelta(seconds=seconds)
        self.plan(done, lambda t: self._report(t, slot, grant, outcome, seconds), self._note(slot, outcome))
        return [self.event(now, "stream.opened", slot=slot.ref, grant=grant, masking=3)]

    def stray(self, now: datetime, for_s: float = 120.0) -> list[Output]:
        """Open the stream outside every agreed time, unmasked and without a grant, and close it later."""
        seconds = round(for_s, 1)
        closed = now + timedelta(seconds=seconds)
        self.plan(closed, lambda t: [self.event(t, "stream.closed", duration_s=seconds, masking=0)])
        return [self.event(now, "stream.opened", masking=0)]

    def _report(self, now: datetime, slot: Daily, grant: str, outcome: str, seconds: float) -> list[Output]:
        def say(kind: str, **more: object) -> Message:
            return self.event(now, kind, slot=slot.ref, grant=grant, masking=3, **more)

        return [
            say("supervision.performed", outcome=outcome, duration_s=seconds),
            say("stream.closed", duration_s=seconds),
        ]

    def _note(self, slot: Daily, outcome: str) -> str:
        return "" if outcome == "seen" else f"{self.id}: {slot.ref}, {outcome.replace('_', ' ')}"
