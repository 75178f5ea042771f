"""A digital lock over the Vaka profile."""

from collections.abc import Mapping
from typing import ClassVar

from simulators.radio.devices.memory import Fields
from simulators.radio.devices.vaka import VakaPeripheral


class Lock(VakaPeripheral):
    """Locked from the start; a jammed bolt stays where it is."""

    model = "ML-1"
    firmware = "3.2.1"
    commands: ClassVar[Mapping[str, bool]] = {"lock": False, "unlock": True}
    locked = True
    jammed = False

    def turn(
        self,
        *,
        locked: bool,
        means: str = "inside_knob",
        credential: str | None = None,
        visit: str | None = None,
    ) -> int:
        """Somebody turns the bolt; returns the event's sequence."""
        if self.jammed:
            return self.event("lock.jammed", means=means)
        self.locked = locked
        kind = "lock.locked" if locked else "lock.unlocked"
        return self.event(kind, means=means, credential=credential, visit=visit)

    async def obey(self, command: Fields) -> tuple[str, str]:
        """Lock or unlock."""
        self.turn(locked=command["do"] == "lock", means="remote", visit=command.get("visit"))
        return ("failed", "the bolt is jammed") if self.jammed else ("done", "")
