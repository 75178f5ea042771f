"""Offline: what rules share that judge a device's absence at the moments when it matters."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from gateway.contract import Arm, Decision, Situation
from gateway.model.event import Event
from gateway.model.vocabulary import DeviceKind
from rules.base import NOTHING, BaseRule


class OfflineRule(BaseRule):
    """Watches devices of one `kind`; a short absence, of at most `grace`, is none.

    One timer, "watch", moves to the next moment at which being away can begin to matter.
    """

    kind: ClassVar[DeviceKind]
    grace: timedelta

    def on_enrolled(self, at: Situation) -> Sequence[Decision]:
        """Watch from now on."""
        return self._watch(at) if at.device.kind is self.kind else NOTHING

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Look after the grace when it goes, clear when it comes."""
        if at.device.kind is not self.kind:
            return NOTHING
        if at.status().offline:
            return [Arm(name="watch", due_at=at.now + self.grace)]
        return [*self._back(at), *self._watch(at)] if event.type == "device.online" else NOTHING

    @abstractmethod
    def _back(self, at: Situation) -> Sequence[Decision]:
        """Say what follows when the device is heard again."""

    @abstractmethod
    def _watch(self, at: Situation) -> Sequence[Decision]:
        """Arm the next moment at which being out of reach would matter."""
