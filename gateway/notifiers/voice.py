"""Voice: a call that says there is an alert and takes a key as the answer."""

import asyncio

from gateway.contract import Phone
from gateway.model.alert import Alert
from gateway.model.delivery import Delivery
from gateway.service.means import CALL_ANSWERED, CALL_ENDED, Means


class VoiceNotifier:
    """Calls the number noted last; what is said and pressed goes through the callbacks of the API."""

    channel = "voice"

    def __init__(self, means: Means, phone: Phone) -> None:
        self._means = means
        self._phone = phone

    async def deliver(self, delivery: Delivery, alert: Alert) -> str:  # noqa: ARG002 - nothing of it is said
        """Begin to call."""
        numbers = await asyncio.to_thread(self._means.contacts.addresses, delivery.recipient, self.channel)
        if not numbers:
            return "no number is noted"
        hook = self._means.hook
        return await self._phone.call(
            numbers[-1],
            hook("call/answered", CALL_ANSWERED, delivery.id),
            hook("call/ended", CALL_ENDED, delivery.id),
        )

    async def close(self) -> None:
        """Release connections."""
        await self._phone.close()


def make(means: Means) -> VoiceNotifier | None:
    """Make the channel if a provider and a number to call from are configured."""
    settings = means.settings.phone
    if means.phone is None or settings is None or settings.voice_from is None:
        return None
    return VoiceNotifier(means, means.phone)
