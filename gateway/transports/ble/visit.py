"""Visit: one connection to one device, from the call to the goodbye, one request after the other."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.exc import BleakCharacteristicNotFoundError

from gateway.ble_settings import BleSettings
from gateway.contract.gatt import Cause, Fault, Link, Pair, Read, Request, Subscribe, Write
from gateway.service.parts import end_if_cancelled
from gateway.transports.ble.radio import TROUBLE, Radio, fault_of, words

SMALLEST_ROOM = 20
"""Bytes of one write that every link takes (Core 5.4, Vol 3, Part F, 3.2.8: an ATT_MTU of 23)."""
GOODBYE_WITHIN_S = 5.0
LOST = "the link was lost"

Value = Callable[[str, bytes], None]
Done = Callable[[Request, bytes], None]
Failed = Callable[[Request, Fault], None]


class Visit:
    """Carries out requests in their order while the link stands.

    `why` says afterwards how it ended, and `ours` whether by our own will.
    """

    def __init__(self, radio: Radio, device: BLEDevice, settings: BleSettings) -> None:
        self._settings = settings
        self._client: BleakClient = radio.make_client(device, self._gone, settings.connect_timeout_s)
        self._requests: deque[Request] = deque()
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._names: Mapping[str, BleakGATTCharacteristic] = {}
        self.why = ""
        self.ours = False

    async def connect(self) -> Link:
        """Connect, and return what is there; raises what the radio raises."""
        async with asyncio.timeout(self._settings.connect_timeout_s):
            await self._client.connect()
        self._names = _names(self._client)
        room = max([SMALLEST_ROOM, *(one.max_write_without_response_size for one in self._names.values())])
        return Link(room=room, characteristics=frozenset(self._names))

    def ask(self, request: Request) -> None:
        """Put a request behind the others."""
        self._requests.append(request)
        self._news.set()

    def end(self, why: str) -> None:
        """End the link by our own will; what was still to be asked is not asked."""
        if not self._over.is_set():
            self.why, self.ours = why, True
            self._requests.clear()
            self._over.set()

    async def hold(self, value: Value, done: Done, failed: Failed) -> None:
        """Carry out what is asked until the link ends."""
        worker = asyncio.create_task(self._work(value, done, failed))
        over = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait({worker, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (worker, over):
                task.cancel()
            await asyncio.wait({worker, over})
        if worker.done() and not worker.cancelled() and (error := worker.exception()) is not None:
            raise error

    async def close(self) -> None:
        """Say goodbye; a device or a radio that does not answer is left."""
        with suppress(*TROUBLE):
            async with asyncio.timeout(GOODBYE_WITHIN_S):
                await self._client.disconnect()

    async def unpair(self) -> None:
        """Forget the bond on our side; raises what the radio raises."""
        async with asyncio.timeout(self._settings.operation_timeout_s):
            await self._client.unpair()

    def _gone(self) -> None:
        if not self._over.is_set():
            self.why = LOST
            self._over.set()

    async def _work(self, value: Value, done: Done, failed: Failed) -> None:
        while not self._over.is_set():
            end_if_cancelled()
            if not self._requests:
                self._news.clear()
                await self._news.wait()
                continue
            request = self._requests.popleft()
            try:
                payload = await self._carry_out(request, value)
            except BleakCharacteristicNotFoundError:
                failed(request, Fault(Cause.REFUSED, "the device has no such characteristic"))
            except TROUBLE as error:
                if self._over.is_set() or not self._client.is_connected:
                    self._gone()
                    return
                failed(request, self._fault(request, error))
            else:
                if self._over.is_set():
                    return
                done(request, payload)

    def _fault(self, request: Request, error: BaseException) -> Fault:
        """After an answer that never came nothing more may be asked (Core 5.4, Vol 3, Part F, 3.3.3)."""
        fault = fault_of(error)
        if isinstance(request, Pair):
            return Fault(Cause.REFUSED, fault.words) if fault.cause is Cause.FAILED else fault
        if fault.cause is Cause.TIMEOUT:
            self.end(f"{type(request).__name__.lower()}: {words(error)}")
        return fault

    async def _carry_out(self, request: Request, value: Value) -> bytes:
        client, settings = self._client, self._settings
        pairing = isinstance(request, Pair)
        async with asyncio.timeout(settings.pair_timeout_s if pairing else settings.operation_timeout_s):
            match request:
                case Pair():
                    await client.pair()
                case Read(characteristic=name):
                    return bytes(await client.read_gatt_char(self._named(name)))
                case Subscribe(characteristic=name):
                    await client.start_notify(self._named(name), lambda _, data: value(name, bytes(data)))
                case Write(characteristic=name, payload=payload, response=response):
                    await client.write_gatt_char(self._named(name), payload, response=response)
        return b""

    def _named(self, name: str) -> BleakGATTCharacteristic:
        found = self._names.get(name)
        if found is None:
            raise BleakCharacteristicNotFoundError(name)
        return found


def _names(client: BleakClient) -> dict[str, BleakGATTCharacteristic]:
    """Return the characteristics by service and UUID, and by the UUID alone where only one has it."""
    found: dict[str, BleakGATTCharacteristic] = {}
    several: set[str] = set()
    for service in client.services:
        for one in service.characteristics:
            uuid = one.uuid.lower()
            found.setdefault(f"{service.uuid.lower()}/{uuid}", one)
            several |= {uuid} if uuid in found else set()
            found[uuid] = one
    return {name: one for name, one in found.items() if name not in several}
