"""The log as a channel: one line an alert, for trying things out and as the last trace of an offer."""

import logging

from gateway.model.alert import Alert
from gateway.model.delivery import Delivery
from gateway.service.means import Means

_LOG = logging.getLogger(__name__)


class ConsoleNotifier:
    """Writes alert id, severity, rule and recipient; nothing about the person."""

    channel = "console"

    async def deliver(self, delivery: Delivery, alert: Alert) -> str:
        """Write the line; it cannot fail."""
        _LOG.info(
            "alert %s severity=%s rule=%s to=%s step=%d",
            alert.id,
            alert.severity.value,
            alert.rule,
            delivery.recipient,
            delivery.step,
        )
        return ""

    async def close(self) -> None:
        """Keep nothing open."""


def make(_means: Means) -> ConsoleNotifier:
    """Make the channel; every entry point of `vaka.notifiers` is such a function, or returns None."""
    return ConsoleNotifier()
