"""A digital lock over the Vaka profile."""

from collections.abc import Mapping
from datetime import datetime

from simulators.radio.devices.memory import Fields
from simulators.radio.devices.vaka import VakaPeripheral

DO: Mapping[str, bool] = {"lock": True, "unlock": False}
"""Commands it takes, and whether the bolt is out afterwards."""


class Lock(VakaPeripheral):
    """Locked from the start; a jammed bolt stays where it is."""

    model = "ML-1"
    firmware = "3.2.1"
    locked = True
    jammed = False

    def turn(self, *, locked: bool, means: str = "inside_knob", credential: str | None = None) -> int:
        """Somebody turns the bolt; returns the event's sequence."""
        if self.jammed:
            return self.event("lock.jammed", means=means)
        self.locked = locked
        kind = "lock.locked" if locked else "lock.unlocked"
        return self.event(kind, means=means, credential=credential)

    async def obey(self, command: Fields) -> tuple[str, str]:
        """Lock or unlock, unless its time is past."""
        do, expires = command.get("do"), _moment(command.get("expires"))
        if not isinstance(do, str) or do not in DO:
            return "rejected", "allowed: do = lock | unlock"
        if expires is None:
            return "rejected", "a command needs expires, RFC 3339 with offset"
        if self.clock.synced and expires <= self.clock.now():
            return "expired", "it came after its expiry"
        self.turn(locked=DO[do], means="remote")
        return ("failed", "the bolt is jammed") if self.jammed else ("done", "")


def _moment(said: object) -> datetime | None:
    if isinstance(said, datetime):  # CBOR tag 0
        return said if said.tzinfo else None
    try:
        found = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return found if found.tzinfo else None
