"""The port for one channel to a person."""

from typing import Protocol

from gateway.model.alert import Alert
from gateway.model.delivery import Delivery


class Notifier(Protocol):
    """One channel by which a recipient may be reached."""

    @property
    def channel(self) -> str:
        """The channel's name in deliveries."""
        ...

    async def deliver(self, delivery: Delivery, alert: Alert) -> str:
        """Try once; return "" when it was sent, or the reason why not. Nothing personal may leave."""
        ...
