"""What a load run shall send, and to whom."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from gateway.contract.errors import ConfigurationError
from simulators.broker import Broker
from simulators.load.packets import Template, template

DATA = {
    "heartbeat": b'{"battery_percent":80}',
    "motion.detected": b'{"location":"hall"}',
    "position.update": b'{"latitude":59.0,"longitude":15.0,"accuracy_m":8.0,"source":"gnss"}',
    "door.opened": b"{}",
    "alarm.manual": b'{"presses":1}',
}
"""The types that can be sent in mass, and their values."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send. `rate` 0 is flat out; `passwords` empty is without login. See the command's help."""

    broker: Broker
    connections: int
    messages: int
    rate: float = 0
    window: int = 256
    tenant: str = "load"
    passwords: Mapping[str, str] = {}
    kind: str = "motion.detected"
    alarm_every: int = 0
    duplicate: float = 0
    reorder: float = 0
    seed: int = 1
    acked: Path | None = None
    patience_s: float = 60

    def devices(self) -> list[str]:
        """Return the device of every connection; ConfigurationError if there are too few passwords."""
        if not self.passwords:
            return [f"{self.tenant}/load-{n:05d}" for n in range(1, self.connections + 1)]
        if len(self.passwords) < self.connections:
            raise ConfigurationError(
                f"connections = {self.connections}; allowed: at most {len(self.passwords)}, one a password"
            )
        return sorted(self.passwords)[: self.connections]

    def templates(self, device: str, run: str) -> tuple[Template, Template]:
        """Return the ordinary message of a device and its alarm."""
        if self.kind not in DATA:
            raise ConfigurationError(f"type = {self.kind!r}; allowed: {', '.join(DATA)}")
        alarm = template(device, run, "alarm.manual", DATA["alarm.manual"])
        return template(device, run, self.kind, DATA[self.kind]), alarm
