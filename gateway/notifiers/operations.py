"""Operations: word about the gateway to whoever runs it, by any service Apprise knows; never an alert."""

import asyncio
import logging
from collections.abc import Sequence

from apprise import Apprise, NotifyType
from pydantic import SecretStr

from gateway.contract import ConfigurationError

log = logging.getLogger(__name__)


class Operations:
    """Tells in the background, so that nobody waits for it; what cannot be told stands in the log."""

    def __init__(self, addresses: Sequence[SecretStr]) -> None:
        self._apprise = Apprise()
        self._under_way: set[asyncio.Task[None]] = set()
        for number, address in enumerate(addresses):
            if not self._apprise.add(address.get_secret_value()):
                key = f"channels.operations.{number}"
                raise ConfigurationError(
                    f"{key}: found *** (not shown); allowed: an address that Apprise knows"
                )

    def channel(self, channel: str, reason: str) -> None:
        """Tell that a channel is given a rest, or ("" as reason) that it works again."""
        if reason:
            self.tell(f"Vaka: the channel {channel} rests", f"Alerts go by the others. It said: {reason}")
        else:
            self.tell(f"Vaka: the channel {channel} works again", "Alerts go by it again.")

    def tell(self, title: str, body: str) -> None:
        """Send word, if anybody is named to hear it."""
        if len(self._apprise) == 0:
            return
        telling = asyncio.create_task(self._tell(title, body), name="word to operations")
        self._under_way.add(telling)
        telling.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Let what is under way end, for a moment."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=1)

    async def _tell(self, title: str, body: str) -> None:
        try:
            told = await self._apprise.async_notify(body=body, title=title, notify_type=NotifyType.WARNING)
        except Exception as error:  # noqa: BLE001 - any of a hundred services may fail in its own way
            log.warning("operations could not be told: %s", type(error).__name__)
        else:
            if not told:
                log.warning("operations could not be told: %s", title)
