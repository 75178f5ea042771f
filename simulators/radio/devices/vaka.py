"""The Vaka GATT profile, version 1, as a device has it: events kept until acknowledged, state, commands."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ClassVar

from bumble import gatt
from bumble.att import ATT_Error
from bumble.core import AdvertisingData
from bumble.device import Connection
from cbor2 import CBORDecodeError, dumps, loads

from simulators.radio.devices.clock import DeviceClock
from simulators.radio.devices.commands import Told, judge
from simulators.radio.devices.memory import Fields, Memory
from simulators.radio.devices.peripheral import MakeHost, Peripheral
from simulators.radio.devices.security import Can, Guard
from simulators.radio.devices.sending import Sending, indicate
from simulators.radio.standard import (
    ACKNOWLEDGE,
    COMMAND,
    CONFIG,
    CURRENT_TIME,
    CURRENT_TIME_SERVICE,
    EVENT,
    INVALID_LENGTH,
    OUT_OF_RANGE,
    RESULT,
    SERVICE,
    STATE,
    WRITE_REQUEST_REJECTED,
    Joiner,
    fragments,
)

LOW_PERCENT = 20
SEQUENCE_BYTES = 8


class VakaPeripheral(Peripheral):
    """A device on the standard interface over GATT; `device` is "{tenant}/{device}".

    Faults: `repeats` (every event twice), `ignores_acknowledge` (it sends them again and again),
    `clock.wrong_by`, `keeps_no_time` (Current Time is refused), and those of every peripheral: `power_cut`,
    `refuses_bonding`, `forget_bonds`, `set_battery`.
    """

    commands: ClassVar[Mapping[str, bool]] = {}
    """What it can be told to do, and whether that needs a grant."""

    def __init__(
        self,
        make_host: MakeHost,
        device: str,
        serial: str,
        passkey: int | None = None,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(make_host, serial, passkey)
        self.device = device
        self.memory = Memory() if memory is None else memory  # an empty one is false
        self.clock_speed = 1.0
        self.clock = DeviceClock()
        self.repeats = False
        self.ignores_acknowledge = False
        self.keeps_no_time = False
        self._sendings: dict[Connection, Sending] = {}
        self._work: dict[Connection, set[asyncio.Task[None]]] = {}
        self._joiners: dict[tuple[Connection, str], Joiner] = {}
        self._state_value = b""

    # -- what happens to the device

    def event(self, kind: str, **data: Any) -> int:
        """Keep an event, and send it when somebody listens; returns its sequence. None is left out."""
        number = self.memory.sequence + 1
        fields: Fields = {
            "specversion": "1.0",
            "id": f"{self.serial}-{number}",
            "source": f"vaka:{self.device}",
            "type": f"vaka.{kind}.v1",
            "time": self.clock.text(),
            "clockquality": "synced" if self.clock.synced else "unsynced",
            "data": {key: value for key, value in data.items() if value is not None},
        }
        return self.keep(fields)

    def keep(self, event: Fields) -> int:
        """Keep an event that is whole but for its sequence."""
        sequence = self.memory.keep(event)
        self._wake()
        return sequence

    async def set_battery(self, percent: int) -> None:
        """Let the battery have that charge; at a fifth it says that it is low."""
        fell = percent <= LOW_PERCENT < self.battery_percent
        rose = self.battery_percent <= LOW_PERCENT < percent
        await super().set_battery(percent)
        if fell:
            self.event("battery.low", battery_percent=float(percent))
        elif rose:
            self.event("battery.ok", battery_percent=float(percent))
        await self.tell_state()

    def state(self) -> Fields:
        """Return the status fields, and how much waits."""
        oldest = self.memory.oldest()
        told: Fields = {
            "state": "online",
            "device": self.device,
            "firmware": self.firmware,
            "battery": self.battery_percent,
            "config_revision": self.memory.config["revision"],
            "clockquality": "synced" if self.clock.synced else "unsynced",
            "backlog": len(self.memory),
            "next": self.memory.sequence + 1 if oldest is None else oldest,
        }
        return told | ({"time": self.clock.text()} if self.clock.synced else {})

    async def tell_state(self) -> None:
        """Notify the state to who subscribed."""
        self._state_value = dumps(self.state())
        if self._host is None:
            return
        for connection in list(self.connections):
            for part in fragments(self._state_value, connection.att_mtu):
                await self.host.gatt_server.notify_subscriber(connection, self._state, part)

    async def obey(self, command: Fields) -> tuple[str, str]:
        """Carry out a command that was found good; returns the outcome and the reason."""
        del command
        return "failed", "nothing was done"

    def configured(self) -> None:
        """A new configuration was taken."""

    # -- the profile

    def booted(self) -> None:
        """The clock starts anew, until somebody tells the time."""
        self.clock = DeviceClock(self.clock_speed)

    def advertised(self) -> Sequence[tuple[int, bytes]]:
        """Also the service."""
        service = (AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, bytes(SERVICE))
        return [*super().advertised(), service]

    def services(self, guard: Guard) -> Sequence[gatt.Service]:
        """The Vaka service and Current Time, beside the battery."""
        make = guard.characteristic
        self._event = make(EVENT, Can.INDICATE)
        self._state = make(STATE, Can.READ | Can.NOTIFY, self._read_state)
        self._result = make(RESULT, Can.INDICATE)
        self._event.on(self._event.EVENT_SUBSCRIPTION, self._on_subscription)
        parts = [
            self._event,
            make(ACKNOWLEDGE, Can.WRITE, write=self._on_acknowledge),
            self._state,
            make(COMMAND, Can.WRITE, write=self._on_command),
            self._result,
            make(CONFIG, Can.READ | Can.WRITE, lambda: dumps(self.memory.config), self._on_config),
        ]
        time = make(CURRENT_TIME, Can.READ | Can.WRITE, self._read_time, self._on_time)
        vaka, clock = gatt.Service(SERVICE, parts), gatt.Service(CURRENT_TIME_SERVICE, [time])
        return [*super().services(guard), clock, vaka]

    def _read_state(self) -> bytes:
        """A long read comes in parts, so the value stands still while nothing but time has changed."""
        now = self.state()
        was = loads(self._state_value) if self._state_value else {}
        if {**was, "time": None} != {**now, "time": None}:
            self._state_value = dumps(now)
        return self._state_value

    def _read_time(self) -> bytes:
        return self.clock.value()

    def _on_subscription(self, connection: Connection, _notify: bool, indicate_on: bool) -> None:  # noqa: FBT001 - Bumble's
        self._sendings.pop(connection, None)
        if indicate_on:
            sending = self._sendings[connection] = Sending(self.host, connection, self._event, self.memory)
            sending.copies = 2 if self.repeats else 1
            self._do(connection, self._send(sending))

    def _do(self, connection: Connection, work: Coroutine[Any, Any, None]) -> None:
        """Do it as long as the link stands."""
        task = asyncio.ensure_future(work)
        self._work.setdefault(connection, set()).add(task)
        task.add_done_callback(self._work[connection].discard)
        self.start(task)

    async def _send(self, sending: Sending) -> None:
        try:
            await sending.run()
        except (
            TimeoutError
        ):  # no confirmation within 30 s: the link is as good as dead (Vol 3, Part F, 3.3.3)
            await self.disconnect()

    def _wake(self) -> None:
        for sending in self._sendings.values():
            sending.copies = 2 if self.repeats else 1
            sending.wake()

    def _on_acknowledge(self, _connection: Connection, value: bytes) -> None:
        if len(value) != SEQUENCE_BYTES:
            raise ATT_Error(INVALID_LENGTH)
        if self.ignores_acknowledge:
            return
        sequence = int.from_bytes(value, "little")
        if sequence > self.memory.sequence:
            raise ATT_Error(OUT_OF_RANGE)
        self.memory.forget(sequence)
        self._wake()

    async def _on_time(self, _connection: Connection, value: bytes) -> None:
        if self.keeps_no_time:
            raise ATT_Error(WRITE_REQUEST_REJECTED)
        try:
            self.clock.set(value)
        except ValueError as error:
            raise ATT_Error(OUT_OF_RANGE) from error
        self.start(asyncio.ensure_future(self.tell_state()))

    def _joined(self, connection: Connection, leaf: str, value: bytes) -> Fields | None:
        joiner = self._joiners.setdefault((connection, leaf), Joiner())
        try:
            whole = joiner.take(value)
            found = loads(whole) if whole is not None else None
        except (ValueError, CBORDecodeError) as error:
            raise ATT_Error(OUT_OF_RANGE) from error
        if whole is not None and not isinstance(found, dict):
            raise ATT_Error(OUT_OF_RANGE)
        return found

    def _on_command(self, connection: Connection, value: bytes) -> None:
        command = self._joined(connection, "command", value)
        if command is not None:
            self._do(connection, self._answer(connection, command))

    async def _answer(self, connection: Connection, command: Fields) -> None:
        key = command.get("id")
        if not isinstance(key, str) or not key:
            return  # nothing to answer to
        result = self.memory.done.get(key)
        if result is None:
            memory = self.memory
            told = Told(self.device, self.clock, self.commands, memory.config, memory.grants)
            outcome, reason = judge(command, told) or await self.obey(command)
            result = {"id": key, "outcome": outcome, "time": self.clock.text()}
            result |= {"reason": reason} if reason else {}
            memory.remember(key, result)
        await indicate(self.host, connection, self._result, dumps(result))

    def _on_config(self, connection: Connection, value: bytes) -> None:
        config = self._joined(connection, "config", value)
        if config is None:
            return
        if not isinstance(config.get("revision"), int):
            raise ATT_Error(OUT_OF_RANGE)
        self.memory.config = config
        self.configured()
        self.start(asyncio.ensure_future(self.tell_state()))

    def disconnected(self, connection: Connection, reason: int) -> None:
        """Stop sending, and drop what was joined so far."""
        del reason
        self._sendings.pop(connection, None)
        for task in self._work.pop(connection, ()):
            task.cancel()
        for key in [key for key in self._joiners if key[0] is connection]:
            del self._joiners[key]
