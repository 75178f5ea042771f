"""The scene: what somebody finds at a home, does there, and says of it afterwards."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.model.alert import Alert, AlertType, Outcome
from simulators.chance import Chance
from simulators.devices import Device
from simulators.stage import Stage
from simulators.world.household import Household
from simulators.world.truth import Truth


class Scene:
    """The homes as people at work meet them. Whoever is there helps, and mends what is broken."""

    def __init__(self, stage: Stage, homes: Mapping[str, Household], truth: Truth) -> None:
        self._stage, self._homes, self._truth = stage, homes, truth
        self._locks: dict[str, str] = {
            device.profile.home: device.id for device in stage.devices.values() if device.kind == "lock"
        }

    def enter(self, home: str, credential: str, now: datetime, minutes: float) -> None:
        """Go in by the lock, where there is one, with a credential of one's own."""
        lock = self._locks.get(home)
        if lock is not None:
            at = now + timedelta(seconds=10)
            self._stage.plan(lock, at, "visit", credential=credential, minutes=minutes)

    def work_min(self, alert: Alert, now: datetime, chance: Chance) -> float:
        """Return how many minutes it takes there."""
        behind = self._truth.behind(alert, self._kind(alert), now)
        if behind is not None and behind.help_needed:
            return chance.uniform(12, 40)
        return chance.uniform(10, 30) if alert.type is AlertType.TECHNICAL else chance.uniform(3, 12)

    def outcome(self, alert: Alert, now: datetime) -> Outcome:
        """Return what it was, as who talks with the person hears it."""
        found = self._truth.outcome(alert, self._kind(alert), now)
        device = self._stage.devices.get(alert.device or "")
        return Outcome.TECHNICAL if found is Outcome.FALSE and device is not None and device.broken else found

    def finish(self, alert: Alert, now: datetime, chance: Chance) -> Outcome:
        """Help the person, mend the device, and return what it was."""
        outcome = self.outcome(alert, now)
        behind = self._truth.behind(alert, self._kind(alert), now)
        household = self._homes.get(alert.home)
        if household is not None and outcome is Outcome.REAL:
            household.helped(now)
            if behind is not None and behind.hospital:
                household.go_away(now, round(chance.uniform(1, 6), 3), "in hospital")
        if outcome is Outcome.TECHNICAL and alert.device in self._stage.devices:
            self._stage.plan(alert.device, now + timedelta(seconds=1), "mend")
        return outcome

    def _kind(self, alert: Alert) -> str:
        device: Device | None = self._stage.devices.get(alert.device or "")
        return "" if device is None else device.kind
