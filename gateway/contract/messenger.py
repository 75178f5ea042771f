"""The port to alarm centres: one message out, and a look at the messages that come back."""

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Centre(NamedTuple):
    """Where a message goes: a sip: or sips: address, the user it is from, and what proves who we are."""

    uri: str
    sender: str
    username: str = ""
    password: str = ""
    ca: str = ""


class Messenger(Protocol):
    """Whoever can send a message by SIP."""

    async def message(self, centre: Centre, body: bytes, within_s: float) -> bytes:
        """Send, and return the body of the 2xx that took it; ChannelFault when none did in time."""
        ...

    def on_answer(self, consumer: Callable[[bytes, tuple[str, int]], bool]) -> None:
        """Let `consumer` look first at each message and its sender; True when it was its own."""
        ...
