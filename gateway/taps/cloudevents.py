"""CloudEvents: what happens as CloudEvents 1.0, to a webhook or a broker, filtered as the receiver wants."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from gateway.contract import Handed, Page, Tap
from gateway.service.tapping import TapMeans, tenants_of
from gateway.tap_settings import CloudEventsSettings
from gateway.taps.broker import Broker
from gateway.taps.envelope import Message, messages
from gateway.taps.hook import Hook


class _Typed(msgspec.Struct):
    """What a dead letter's bytes tell of where it goes."""

    type: str


class Way(Protocol):
    """How messages go out."""

    def parts(self, waiting: Sequence[Message]) -> Iterator[Sequence[Message]]:
        """Yield messages as they go together."""
        ...

    async def send(self, part: Sequence[Message]) -> Sequence[Handed]:
        """Hand messages over; TapFault when the receiver takes nothing now."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class CloudEventsTap:
    """Sends a page in order, and remembers what of it is through, so that a slow receiver gets on."""

    def __init__(self, means: TapMeans, settings: CloudEventsSettings) -> None:
        self.name = settings.name
        self._means, self._settings = means, settings
        self._way: Way = Broker(settings) if settings.by_mqtt else Hook(settings, means.clock)
        self._after = -1
        self._through: dict[str, Handed] = {}

    async def take(self, page: Page) -> Sequence[Handed]:
        """Send what of a page is wanted; TapFault when the receiver takes nothing now."""
        if page.after != self._after:
            self._after, self._through = page.after, {}
        registry = self._means.registry()
        theirs = tenants_of(page, registry, self._settings)
        found = await asyncio.to_thread(lambda: list(messages(theirs, registry, self._settings)))
        waiting = [message for message in found if message.item not in self._through]
        for part in self._way.parts(waiting):
            self._through |= {handed.item: handed for handed in await self._way.send(part)}
        return [handed for message in found if (handed := self._through[message.item]).refused]

    async def again(self, item: str, body: bytes) -> Handed:
        """Send one message once more."""
        kind = msgspec.json.decode(body, type=_Typed).type
        (handed,) = await self._way.send([Message(item, kind, body)])
        return handed if handed.refused else Handed(item=item, proof="taken")

    async def close(self) -> None:
        """Release connections."""
        await self._way.close()


def make(means: TapMeans) -> list[Tap]:
    """Make a tap for each receiver that is configured."""
    return [CloudEventsTap(means, section) for section in means.settings.cloudevents]
