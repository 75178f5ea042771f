"""How a device sends its events over one link: in order, few unacknowledged, again when nothing is heard."""

import asyncio

from bumble import gatt
from bumble.device import Connection, Device

from gateway.service.parts import end_if_cancelled
from simulators.radio.devices.memory import Memory
from simulators.radio.standard import ACKNOWLEDGED_WITHIN_S, UNACKNOWLEDGED, fragments


class Sending:
    """One link's sending; begins again at the oldest unacknowledged event."""

    def __init__(
        self, host: Device, connection: Connection, event: gatt.Characteristic[bytes], memory: Memory
    ) -> None:
        self._host = host
        self._connection = connection
        self._event = event
        self._memory = memory
        self._sent = 0
        self._under_way: list[int] = []
        self._news = asyncio.Event()
        self.copies = 1
        """How often each event is sent; more is a fault."""
        self.room = UNACKNOWLEDGED
        """How many events may be unacknowledged; more is a fault."""
        self.first = 0
        """The number of a value's first fragment; another is a fault."""

    def wake(self) -> None:
        """Something happened: a new event, or an acknowledgement."""
        self._under_way = [one for one in self._under_way if one >= (self._memory.oldest() or one + 1)]
        self._news.set()

    async def run(self) -> None:
        """Send until the link ends."""
        while True:
            kept = self._memory.after(self._sent)
            if kept is None or len(self._under_way) >= self.room:
                await self._wait()
                continue
            self._sent = kept.sequence
            self._under_way.append(kept.sequence)
            for _ in range(self.copies):
                await indicate(self._host, self._connection, self._event, kept.value, self.first)
            end_if_cancelled()

    async def _wait(self) -> None:
        self._news.clear()
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S if self._under_way else None):
                await self._news.wait()
        except TimeoutError:
            self._under_way.clear()
            self._sent = 0


async def indicate(
    host: Device,
    connection: Connection,
    characteristic: gatt.Characteristic[bytes],
    value: bytes,
    first: int = 0,
) -> None:
    """Send a value in fragments, each confirmed before the next; `first` other than 0 is a fault."""
    for part in fragments(value, connection.att_mtu, first):
        end_if_cancelled()
        await host.gatt_server.indicate_subscriber(connection, characteristic, part)
