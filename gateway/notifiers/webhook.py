"""Webhook: every alert, content-free, to another system, signed as standardwebhooks.com says (version 1)."""

import json

from gateway.channel_settings import WebhookSettings
from gateway.model.alert import Alert
from gateway.model.delivery import Delivery
from gateway.model.synthetic import SYNTHETIC
from gateway.notifiers.http import HttpCaller, said
from gateway.service.means import Means
from gateway.service.signing import sign


class WebhookNotifier:
    """Posts one event a delivery; `webhook-id` is the delivery's, the same however often it is sent."""

    channel = "webhook"

    def __init__(self, means: Means, settings: WebhookSettings) -> None:
        self._clock = means.clock
        self._settings = settings
        self._http = HttpCaller()

    async def deliver(self, delivery: Delivery, alert: Alert) -> str:
        """Send id, class, state and recipient of the alert: opaque references, nothing about the person."""
        if alert.tenant == SYNTHETIC:
            return "the synthetic alarm stays in the house"
        now = self._clock.now()
        event = {
            "type": "alert.offered",
            "timestamp": now.isoformat(timespec="milliseconds"),
            "data": {
                "alert": alert.id,
                "class": alert.severity.value,
                "type": alert.type.value,
                "state": alert.state.value,
                "count": alert.count,
                "recipient": delivery.recipient,
            },
        }
        body = json.dumps(event, separators=(",", ":")).encode()
        stamp = str(int(now.timestamp()))
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": stamp,
            "webhook-signature": sign(self._settings.secret.get_secret_value(), delivery.id, stamp, body),
        }
        answer = await self._http.post(self._settings.url, content=body, headers=headers)
        return "" if answer.status_code < 300 else f"the receiver refused: {said(answer)}"

    async def close(self) -> None:
        """Release connections."""
        await self._http.close()


def make(means: Means) -> WebhookNotifier | None:
    """Make the channel if a receiver is configured."""
    return WebhookNotifier(means, means.settings.webhook) if means.settings.webhook else None
