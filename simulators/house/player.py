"""The player: devices, medium, gateway and people taken through one virtual time, in one fixed order."""

from collections.abc import Callable
from datetime import UTC, datetime

from simulators.house.port import Gateway, Medium, People
from simulators.outputs import Link, Message, Step
from simulators.stage import Stage

Told = Callable[[Step], None]


class Player:
    """At each moment devices act, what they sent arrives, the gateway works, people answer: in this order."""

    def __init__(self, stage: Stage, medium: Medium, gateway: Gateway, people: People) -> None:
        self.stage, self.medium, self.gateway, self.people = stage, medium, gateway, people
        gateway.acknowledged = medium.acknowledged
        people.watch(gateway.alert)

    def next_at(self) -> datetime | None:
        """Return when something next happens anywhere."""
        parts = (self.stage.next_at(), self.medium.next_at(), self.gateway.next_at(), self.people.next_at())
        return min((at for at in parts if at is not None), default=None)

    def play(self, until: datetime, told: Told | None = None) -> None:
        """Let everything happen up to that moment; `told` hears what devices do."""
        while (at := self.next_at()) is not None and at <= until:
            self._moment(at, told)
        self.gateway.come_to(until)

    def _moment(self, at: datetime, told: Told | None) -> None:
        medium, gateway, at = self.medium, self.gateway, at.astimezone(UTC)
        for step in self.stage.advance(at):
            output = step.output
            if isinstance(output, Message):
                medium.carry(at, step.device, output)
            elif isinstance(output, Link):
                medium.link(at, step.device, up=output.up)
            if told is not None:
                told(step)
        gateway.come_to(at)
        for arrival in medium.arrivals(at):
            seen = arrival.message
            if isinstance(seen, Link):
                will = self.stage.devices[arrival.device].will()
                gateway.link(arrival.at, arrival.device, will, up=seen.up)
            else:
                gateway.take(arrival)
        for frame in self.people.advance(at):
            gateway.tell(frame)
        gateway.come_to(at)
