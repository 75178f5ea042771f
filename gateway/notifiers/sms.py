"""SMS: one line without content to the numbers noted for the recipient, by the provider configured."""

import asyncio

from gateway.contract import Phone
from gateway.model.alert import Alert
from gateway.model.delivery import Delivery
from gateway.notifiers.words import line
from gateway.service.means import SMS_REPORT, Means


class SmsNotifier:
    """Sends to the number noted last; what becomes of it comes back as a report."""

    channel = "sms"

    def __init__(self, means: Means, phone: Phone) -> None:
        self._means = means
        self._phone = phone

    async def deliver(self, delivery: Delivery, alert: Alert) -> str:
        """Send the class and where to look."""
        numbers = await asyncio.to_thread(self._means.contacts.addresses, delivery.recipient, self.channel)
        if not numbers:
            return "no number is noted"
        url = f"{self._means.settings.public_url}/alerts/{alert.id}"
        text = line(self._means.language, alert.severity, url)
        return await self._phone.sms(numbers[-1], text, self._means.hook("sms", SMS_REPORT, delivery.id))

    async def close(self) -> None:
        """Release connections."""
        await self._phone.close()


def make(means: Means) -> SmsNotifier | None:
    """Make the channel if a provider and a sender are configured."""
    settings = means.settings.phone
    if means.phone is None or settings is None or settings.sms_from is None:
        return None
    return SmsNotifier(means, means.phone)
