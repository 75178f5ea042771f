"""Reference devices over the Vaka profile with one fault each, named by the clause that it breaks."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from bumble import gatt
from bumble.att import ATT_Error
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection
from cbor2 import dumps, loads

from simulators.radio.devices.lock import Lock
from simulators.radio.devices.memory import Fields, Kept, Memory
from simulators.radio.devices.peripheral import MakeHost
from simulators.radio.devices.security import Can, Guard
from simulators.radio.devices.sending import Sending, indicate
from simulators.radio.standard import LONGEST, UNACKNOWLEDGED

INFORMATION = {0x2A29: "manufacturer", 0x2A24: "model", 0x2A26: "firmware"}
OFF_S = 1.0
"""So long the power is away when the test hook cuts it."""


class FaultyMemory(Memory):
    """Keeps events as the fault has it."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.told = 0
        self._last: Kept | None = None

    def keep(self, event: Fields) -> int:
        """Keep it, spoilt where the fault is in the value."""
        extra = {"remark": "x" * LONGEST} if self.fault == "VDI-BLE-03" else {}
        sequence = super().keep(event | extra)
        if self.fault == "VDI-BLE-02":  # a map of indefinite length: the same, written otherwise
            value = self._queue[-1].value
            self._queue[-1] = Kept(sequence, b"\xbf" + value[1:] + b"\xff")
        return sequence

    def after(self, sequence: int) -> Kept | None:
        """Return the next to send, or what should not be."""
        if self.fault == "VDI-BLE-11" and sequence == 0 and self._last is not None:
            return self._last
        found = super().after(sequence)
        if found is None:
            return None
        if self.fault == "VDI-BLE-10" and found.sequence <= self.told:
            return Kept(found.sequence, dumps(loads(found.value) | {"time": "2026-11-23T08:59:59.000+00:00"}))
        self.told = max(self.told, found.sequence)
        return found

    def forget(self, sequence: int) -> int:
        """Forget, and remember the last for a fault."""
        self._last = next((one for one in self._queue if one.sequence == sequence), self._last)
        return super().forget(sequence)

    def lose(self) -> None:
        """Forget everything that waits."""
        self._queue.clear()


class FaultyLock(Lock):
    """A lock with one fault, and the test hook of the conformance kit; without a fault it is right."""

    actions = frozenset({"event", "reset"})
    """What its test hook offers."""

    def __init__(self, make_host: MakeHost, device: str, serial: str, fault: str = "") -> None:
        self.kept = FaultyMemory(fault)
        super().__init__(make_host, device, serial, memory=self.kept)
        self.fault = fault
        self.protected = fault != "VDI-BLE-06"

    # -- the test hook

    async def do(self, action: str, values: Mapping[str, Any]) -> None:
        """Be operated, or lose the power for a while."""
        if action == "event":
            self.turn(locked=values["type"] == "lock.locked", means="inside_knob")
            return
        await self.power_cut()
        await asyncio.sleep(OFF_S)
        await self.power_on()

    # -- the faults

    def booted(self) -> None:
        """Start with a clock, or with an empty memory, that it should not have."""
        super().booted()
        self.clock.synced = self.fault == "VDI-BLE-15"
        if self.fault == "VDI-BLE-14":
            self.kept.lose()

    def advertised(self) -> Sequence[tuple[int, bytes]]:
        """Tell its serial number to everybody."""
        told = super().advertised()
        named = (AdvertisingData.SHORTENED_LOCAL_NAME, self.serial.encode())
        return [*told, named] if self.fault == "VDI-BLE-08" else told

    def open_services(self) -> Sequence[gatt.Service]:
        """Show nothing to anybody."""
        return [] if self.fault == "VDI-BLE-07" else super().open_services()

    def services(self, guard: Guard) -> Sequence[gatt.Service]:
        """Hide Device Information behind a bond."""
        shown = super().services(guard)
        if self.fault != "VDI-BLE-07":
            return shown
        hidden = [
            guard.characteristic(UUID.from_16_bits(number), Can.READ, getattr(self, name).encode)
            for number, name in INFORMATION.items()
        ]
        return [*shown, gatt.Service(UUID.from_16_bits(0x180A), hidden)]

    def state(self) -> Fields:
        """Tell of another device, or of nothing that waits."""
        told = super().state()
        wrong: dict[str, Fields] = {
            "VDI-BLE-05": {"device": "demo/somebody-else"},
            "VDI-BLE-16": {"backlog": 0},
        }
        return {**told, **wrong.get(self.fault, {})}

    async def tell_state(self) -> None:
        """Tell it where results belong."""
        await super().tell_state()
        if self.fault == "VDI-BLE-01":
            for connection in list(self.connections):
                await indicate(self.host, connection, self._result, dumps(self.state()))

    async def _send(self, sending: Sending) -> None:
        sending.room = 100 if self.fault == "VDI-BLE-12" else UNACKNOWLEDGED
        sending.first = 1 if self.fault == "VDI-BLE-13" else 0
        await super()._send(sending)

    def _joined(self, connection: Connection, leaf: str, value: bytes) -> Fields | None:
        try:
            return super()._joined(connection, leaf, value)
        except ATT_Error:
            if self.fault == "VDI-BLE-17":
                return None
            raise

    def disconnected(self, connection: Connection, reason: int) -> None:
        """Take what was confirmed for acknowledged."""
        super().disconnected(connection, reason)
        if self.fault == "VDI-BLE-09" and self._host is not None:
            self.kept.forget(self.kept.told)
