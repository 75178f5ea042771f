"""The ports on the way out: one channel to a person, the addresses it needs, the provider of a telephone."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from gateway.model.alert import Alert
from gateway.model.delivery import Delivery, DeliveryState


class Notifier(Protocol):
    """One channel by which a recipient may be reached."""

    @property
    def channel(self) -> str:
        """The channel's name in deliveries."""
        ...

    async def deliver(self, delivery: Delivery, alert: Alert) -> str:
        """Try once; return "" when it was sent, or why this recipient cannot be reached so.

        ChannelFault when the channel itself is disturbed. Nothing personal may leave, or stand in a reason.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class ContactBook(Protocol):
    """Where people at work can be reached. Personal data: it stays out of journal, alerts and logs."""

    def addresses(self, recipient: str, channel: str) -> Sequence[str]:
        """Return the addresses of a team or person for a channel, newest last; StoreUnavailableError."""
        ...

    def note(self, recipient: str, channel: str, address: str) -> None:
        """Keep an address; noting it again moves it last."""
        ...

    def remove(self, recipient: str, channel: str, address: str | None = None) -> int:
        """Forget an address, or all of a recipient's for the channel; return how many there were."""
        ...

    def noted(self) -> frozenset[tuple[str, str]]:
        """Return every recipient and channel with an address."""
        ...


class PhoneReport(NamedTuple):
    """What a provider says about a message or a call: how far it got, and its own reason."""

    reached: DeliveryState
    reason: str = ""


class Phone(Protocol):
    """A provider of SMS and calls over HTTP. Its callbacks reach the API, which asks here what they mean."""

    async def sms(self, number: str, text: str, report_url: str) -> str:
        """Send a text; return "" or why the provider refuses this number. ChannelFault."""
        ...

    async def call(self, number: str, answered_url: str, ended_url: str) -> str:
        """Begin to call; return "" or why the provider refuses this number. ChannelFault."""
        ...

    def sms_report(self, form: Mapping[str, str]) -> PhoneReport | None:
        """Read a report about a text, None for one that says nothing."""
        ...

    def call_ended(self, form: Mapping[str, str]) -> PhoneReport | None:
        """Read how a call ended; None when it had been answered."""
        ...

    def ask_key(self, sound_url: str, next_url: str) -> Mapping[str, Any]:
        """Return the answer that plays a sound and sends the key pressed to `next_url`."""
        ...

    def key_pressed(self, form: Mapping[str, str]) -> str:
        """Read which key was pressed, "" for none."""
        ...

    def say(self, sound_url: str) -> Mapping[str, Any]:
        """Return the answer that plays a sound and ends the call."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
