"""The scripted evening of the demo: ordinary life in twenty homes, and every alert class of the rules."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from gateway.contract.errors import ConfigurationError
from simulators.chance import stream
from simulators.devices import (
    Camera,
    Device,
    Dispenser,
    DoorContact,
    FallDetector,
    GpsAlarm,
    Lock,
    Profile,
    SocialAlarm,
)
from simulators.outputs import Message, Output

STARTS_AT = (18, 30)
"""Local time at which the script begins: its doses and looks are planned times of the registry."""

MINUTES = 300
"""How long the script lasts; ordinary life goes on after it."""

D = TypeVar("D", bound=Device)


class Evening:
    """Plans the whole evening on the devices; `provoked` tells which device provokes which alert class."""

    def __init__(self, devices: Iterable[Device], seed: int, start: datetime) -> None:
        self.devices = list(devices)
        self.start = start
        self.provoked: dict[str, str] = {}
        self._off: set[str] = set()
        _check_start(self.devices, start)
        for act in (self._gps, self._dispensers, self._locks, self._cameras, self._others, self._strangers):
            act()
        for device in self.devices:
            if device.id not in self._off:
                wait = stream(seed, device.profile.home, device.profile.name + " on").uniform(0, 90)
                device.plan(start + timedelta(seconds=round(wait, 3)), device.switch_on)

    def at(self, minutes: float) -> datetime:
        """Return the moment so many minutes into the evening."""
        return self.start + timedelta(minutes=minutes)

    def nth(self, kind: type[D], number: int, home: str | None = None) -> D:
        """Return that device of that kind (of that home); ConfigurationError if the town is too small."""
        found = [d for d in self.devices if isinstance(d, kind) and home in {None, d.profile.home}]
        if len(found) < number:
            raise ConfigurationError(
                f"the evening needs {number} devices of kind {kind.__name__}, the registry has {len(found)}; "
                "make a municipality with --homes 20 or more"
            )
        return found[number - 1]

    def provoke(self, alert: str, device: D) -> D:
        """Note that this device provokes that alert class."""
        self.provoked[alert] = device.id
        return device

    def _gps(self) -> None:
        sos = self.provoke("sos", self.nth(GpsAlarm, 1))
        for press in range(8):
            note = f"{sos.id}: SOS, press {press + 1}" if press in {0, 7} else ""
            sos.plan(self.at(7) + timedelta(seconds=25 * press), sos.press, note)
        late = self.provoke("late_event", self.nth(GpsAlarm, 2))
        self._off.add(late.id)
        late.plan(self.at(8) - timedelta(minutes=43), late.press)
        late.plan(self.at(8), late.switch_on, f"{late.id}: back in coverage with an SOS 43 minutes old")
        fall = self.provoke("fall", self.nth(GpsAlarm, 3))
        fall.plan(self.at(10), fall.fall, f"{fall.id}: fall")
        undone = self.provoke("fall_cancelled", self.nth(GpsAlarm, 4))
        undone.plan(self.at(12), undone.fall, f"{undone.id}: fall, cancelled by the wearer after 12 s")
        undone.plan(self.at(12.2), undone.cancel)
        lost = self.provoke("zone_exit", self.nth(GpsAlarm, 5))
        walk = partial(lost.wander, metres=lost.profile.radius_m + 350, for_s=32 * 60)
        lost.plan(self.at(18), walk, f"{lost.id}: leaves the zone")

    def _dispensers(self) -> None:
        missed = self.provoke("dose_missed", self.nth(Dispenser, 1))
        missed.skip.add("dose-3")
        jammed = self.provoke("dispenser_jam", self.nth(Dispenser, 2))
        jammed.plan(self.at(14), jammed.jam, f"{jammed.id}: jam")
        jammed.plan(self.at(50), jammed.clear_jam)
        away = self.provoke("dispenser_offline", self.nth(Dispenser, 3))
        away.plan(self.at(70), away.go_down, f"{away.id}: link lost, a dose is due at 20:30")
        away.plan(self.at(142), away.come_up)
        low = self.nth(Dispenser, 4)
        low.plan(self.at(95), low.run_low)

    def _locks(self) -> None:
        forgot = self.provoke("unlocked_after_visit", self.nth(Lock, 2))
        forgot.quiet = True
        forgot.plan_visit(self.at(6), minutes=8.5, forget=True)
        forgot.plan(self.at(42), partial(forgot.lock, means="tag", credential="cred-007"))
        stuck = self.nth(Lock, 6)
        stuck.plan(self.at(100), stuck.jam, f"{stuck.id}: the bolt jams")
        stuck.plan(self.at(112), stuck.free)
        contact = self.provoke("door_at_night", self.nth(DoorContact, 3))
        door = self.nth(Lock, 1, contact.profile.home)
        door.plan(self.at(222), door.night_exit, f"{door.id}: opened from inside at night")
        contact.plan(self.at(222.1), partial(contact.open, for_s=240))

    def _cameras(self) -> None:
        unwatched = self.provoke("look_missed", self.nth(Camera, 1))
        unwatched.script["look-1"] = []
        # A visit would count as the look.
        self.nth(Lock, 1, unwatched.profile.home).quiet = True
        empty = self.provoke("not_visible_twice", self.nth(Camera, 2))
        empty.script["look-1"] = ["not_visible", "not_visible"]
        dark = self.provoke("camera_offline", self.nth(Camera, 3))
        dark.plan(self.at(36), dark.go_down, f"{dark.id}: link lost, a look is planned at 19:45")
        dark.plan(self.at(105), dark.come_up)
        self.nth(Camera, 4).script["look-3"] = ["abnormal"]

    def _others(self) -> None:
        silent = self.provoke("device_silent", self.nth(SocialAlarm, 1))
        silent.plan(self.at(22), silent.hang, f"{silent.id}: falls silent, still connected")
        second = self.nth(SocialAlarm, 2)
        second.plan(self.at(80), second.press, f"{second.id}: alarm button")
        self._off.add(self.provoke("never_heard", self.nth(FallDetector, 4)).id)

    def _strangers(self) -> None:
        cut = self.provoke("malformed", self.nth(Lock, 3))
        cut.plan(
            self.at(9), partial(_say, cut, b'{"specversion":"1.0","id":"cut-short'), f"{cut.id}: broken JSON"
        )
        typed = self.nth(GpsAlarm, 6)
        wrong = partial(typed.event, kind="position.update", latitude="north", longitude=15.0)
        typed.plan(self.at(55), lambda t: [wrong(t)], f"{typed.id}: a position that is no number")
        self.provoke("wrong_type", typed)
        odd = self.provoke("unknown_type", self.nth(Lock, 4))
        odd.plan(self.at(57), lambda t: [odd.event(t, "lock.melted")], f"{odd.id}: an unknown event type")
        spare = self.provoke("not_enrolled", _stranger(self.devices[0], "spare-001"))
        spare.plan(self.at(12), spare.switch_on, f"{spare.id}: known, enrolled nowhere")
        ghost = self.provoke("unknown_device", _stranger(self.devices[0], "ghost-001"))
        ghost.plan(self.at(16), ghost.switch_on, f"{ghost.id}: not in the registry")
        self._off |= {spare.id, ghost.id}
        self.devices += [spare, ghost]


def _say(device: Device, payload: bytes, _now: datetime) -> Sequence[Output]:
    return [Message(device.topic("event"), payload)]


def _stranger(like: Device, name: str) -> Device:
    found = like.profile
    return Dispenser(
        Profile(
            seed=found.seed,
            tenant=found.tenant,
            name=name,
            home="nowhere",
            zone=found.zone,
            started_at=found.started_at,
            heartbeat_s=600,
        )
    )


def _check_start(devices: Sequence[Device], start: datetime) -> None:
    zones = {device.profile.zone for device in devices}
    local = [start.astimezone(zone) for zone in zones]
    if any((at.hour, at.minute) != STARTS_AT for at in local):
        shown = ", ".join(sorted(at.isoformat() for at in local))
        raise ConfigurationError(
            f"start = {shown}; allowed: 18:30 on any date, local to the tenant, where the script begins"
        )
