"""The Vaka GATT profile, version 1, on Bumble: what every Vaka device over Bluetooth LE has in common."""
import asyncio
import os
import signal
import struct
from datetime import datetime

import cbor2
from bumble.att import ATT_Error, AttributeValueV2
from bumble.core import UUID, AdvertisingData
from bumble.device import Device
from bumble.gatt import Characteristic, CharacteristicValue, Descriptor, Service
from bumble.keys import JsonKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.profiles.device_information_service import DeviceInformationService

BASE = "56414b41-%04x-4d31-8c0e-6f2a1b7d9e50"
SERVICE, EVENT, ACKNOWLEDGE, STATE, COMMAND, RESULT, CONFIG = (UUID(BASE % n) for n in range(1, 8))
BATTERY, BATTERY_LEVEL, TIME, CURRENT_TIME = (UUID.from_16_bits(n) for n in (0x180F, 0x2A19, 0x1805, 0x2A2B))
CLIENT_CONFIGURATION = UUID.from_16_bits(0x2902)
NOT_BONDED, BAD_LENGTH, NOT_ENCRYPTED, REFUSED, OUT_OF_RANGE = 0x05, 0x0D, 0x0F, 0xFC, 0xFF
WINDOW = 8              # events that are sent and not acknowledged
AGAIN_S = 30            # without an acknowledgement everything unacknowledged is sent again
LONGEST = 4096
CUT_AFTER = 5           # fault power-cut: dies when so many events of one life have been confirmed
FAULTS = ("weak-battery", "wrong-clock", "repeats", "lost-acknowledgement", "power-cut", "refuses-bonding")
READ, WRITE = Characteristic.Properties.READ, Characteristic.Properties.WRITE
NOTIFY, INDICATE = Characteristic.Properties.NOTIFY, Characteristic.Properties.INDICATE
MAY = Characteristic.Permissions


def fragments(value, mtu):
    room = mtu - 4      # 3 bytes of ATT, one of ours
    parts = [value[at:at + room] for at in range(0, len(value), room)]
    return [bytes([n | (0x80 if n == len(parts) - 1 else 0)]) + part for n, part in enumerate(parts)]


class Joiner:
    """Puts fragments together; one out of turn drops the whole value."""

    def __init__(self):
        self.parts, self.next = b"", 0

    def take(self, fragment):
        """The whole value with its last fragment, else None; ValueError out of turn."""
        number, last = fragment[0] & 0x7F, fragment[0] & 0x80
        if number == 0:
            self.parts, self.next = b"", 0
        if number != self.next or len(self.parts) + len(fragment) - 1 > LONGEST:
            self.parts, self.next = b"", 0
            raise ValueError("fragment %d" % number)
        self.parts, self.next = self.parts + fragment[1:], number + 1
        if not last:
            return None
        whole, self.parts, self.next = self.parts, b"", 0
        return whole


class Delegate(PairingDelegate):
    def __init__(self, passkey, refuses):
        super().__init__(self.NO_OUTPUT_NO_INPUT if passkey is None else self.DISPLAY_OUTPUT_ONLY)
        self.passkey, self.refuses = passkey, refuses

    async def accept(self):
        return not self.refuses

    async def generate_passkey(self):
        return self.passkey or 0


class Profile:
    """`product` is the lock or the dispenser: `commands`, `words`, `obey(do, fields)`, `about` (maker, model, firmware)."""

    def __init__(self, config, flash, clock, product, faults):
        self.c, self.flash, self.clock, self.product, self.faults = config, flash, clock, product, set(faults)
        self.name = "%s/%s" % (config["tenant"], config["device"])
        self.percent = 8 if "weak-battery" in self.faults else 97
        self.connection, self.sender, self.tasks = None, None, set()
        self.news, self.joiners, self.acknowledgements, self.confirmed = asyncio.Event(), {}, 0, 0

    # -- what it says

    def event(self, kind, data):
        """On the disk when this returns; sent when somebody listens."""
        self.flash.put(lambda sequence: {
            "specversion": "1.0", "id": "%s-%d" % (self.c["device"], sequence), "source": "vaka:" + self.name,
            "type": "vaka.%s.v1" % kind, "time": self.clock.text(), "sequence": sequence,
            "clockquality": self.clock.quality(), "data": data})
        self.news.set()

    def charge(self, percent):
        self.percent = percent
        word = "critical" if percent <= 10 else "low" if percent <= 20 else "ok"
        self.event("battery." + word, {"battery_percent": percent})
        self.spawn(self.tell_state())

    def state(self):
        backlog, oldest = self.flash.backlog()
        told = {"state": "online", "device": self.name, "firmware": self.product.about[2], "battery": self.percent,
                "config_revision": self.flash.load("config", {"revision": 0})["revision"],
                "clockquality": self.clock.quality(), "backlog": backlog, "next": oldest}
        if self.clock.synced:
            told["time"] = self.clock.text()
        return told

    def read_state(self):
        """A long read asks for the value once a part: it is the same until something but the time is another."""
        now = self.state()
        if {**now, "time": 0} != {**getattr(self, "_told", {}), "time": 0}:
            self._told = now
        return cbor2.dumps(self._told)

    async def tell_state(self):
        connection = self.connection
        if connection:
            for part in fragments(cbor2.dumps(self.state()), connection.att_mtu):
                await self.device.gatt_server.notify_subscriber(connection, self.states, part)

    # -- the link

    async def start(self, transport, state_dir):
        self.device = Device.with_hci("Vaka", self.c["address"], transport.source, transport.sink)
        self.device.on("connection", self.connected)
        delegate = Delegate(self.c.get("passkey"), "refuses-bonding" in self.faults)
        self.device.pairing_config_factory = lambda _: PairingConfig(
            sc=True, mitm=delegate.passkey is not None, bonding=True, delegate=delegate,
            identity_address_type=PairingConfig.AddressType.RANDOM)
        maker, model, firmware = self.product.about
        self.device.add_services([
            DeviceInformationService(maker, model, self.c.get("serial", self.c["device"]), firmware_revision=firmware),
            *self.services()])
        await self.device.power_on()
        self.device.keystore = JsonKeyStore("mock", os.path.join(state_dir, "bonds.json"))
        if "weak-battery" in self.faults:
            self.charge(self.percent)
        await self.advertise()

    async def advertise(self):
        """Neither a serial number nor a name: only that a Vaka device is here."""
        data = AdvertisingData([
            (AdvertisingData.FLAGS, bytes([0x06])),
            (AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, bytes(SERVICE))])
        await self.device.start_advertising(
            auto_restart=True, advertising_data=bytes(data), advertising_interval_min=100, advertising_interval_max=100)

    async def away(self, seconds):
        """Out of range: no link and no advertisement."""
        await self.device.stop_advertising()
        if self.connection:
            await self.connection.disconnect()
        await asyncio.sleep(seconds)
        await self.advertise()

    def connected(self, connection):
        self.connection = connection
        connection.on("disconnection", lambda _: self.gone(connection))
        # Bumble keeps the session of a failed pairing, and a second try would be lost in it.
        connection.on("pairing_failure", lambda _: self.device.smp_manager.sessions.pop(connection.handle, None))

    def gone(self, connection):
        if self.connection is connection:
            self.connection, self.joiners = None, {}
            self.stop_sending()

    def stop_sending(self):
        if self.sender:
            self.sender.cancel()
            self.sender = None

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def services(self):
        make = self.protected
        self.events, self.results = make(EVENT, INDICATE), make(RESULT, INDICATE)
        self.states = make(STATE, READ | NOTIFY, self.read_state)
        self.events.on("subscription", self.subscribed)
        config = make(CONFIG, READ | WRITE, lambda: cbor2.dumps(self.flash.load("config", {"revision": 0})), self.configure)
        return [
            Service(BATTERY, [make(BATTERY_LEVEL, READ, lambda: bytes([self.percent]))]),
            Service(TIME, [make(CURRENT_TIME, READ | WRITE, self.clock.read, self.set_time)]),
            Service(SERVICE, [self.events, make(ACKNOWLEDGE, WRITE, write=self.acknowledge), self.states,
                              make(COMMAND, WRITE, write=self.command), self.results, config])]

    async def check(self, connection):
        """Only an encrypted link under a stored LE Secure Connections key; with the passkey, if one is printed."""
        if not connection.is_encrypted:
            raise ATT_Error(NOT_ENCRYPTED)
        bond = await self.device.keystore.get(str(connection.peer_address))
        if bond is None or bond.ltk is None or (self.c.get("passkey") is not None and not bond.ltk.authenticated):
            raise ATT_Error(NOT_BONDED)

    def protected(self, uuid, can, read=None, write=None):
        async def reading(connection):
            await self.check(connection)
            return read()

        async def writing(connection, value):
            await self.check(connection)
            write(connection, value)

        async def configuring(connection, value):
            await self.check(connection)
            self.device.gatt_server.write_cccd(connection, made, value)

        may = MAY(0)
        if can & READ:
            may |= MAY.READABLE | MAY.READ_REQUIRES_ENCRYPTION
        if can & WRITE:
            may |= MAY.WRITEABLE | MAY.WRITE_REQUIRES_ENCRYPTION
        made = Characteristic(uuid, can, may, CharacteristicValue(read=reading, write=writing))
        if can & (NOTIFY | INDICATE):
            value = AttributeValueV2(lambda bearer: self.device.gatt_server.read_cccd(bearer, made), configuring)
            made.descriptors = [Descriptor(
                CLIENT_CONFIGURATION, MAY.READABLE | MAY.WRITEABLE | MAY.WRITE_REQUIRES_ENCRYPTION, value)]
        return made

    # -- events until they are acknowledged

    def subscribed(self, connection, _notify, indicate):
        self.stop_sending()
        if indicate:
            self.sender = self.spawn(self.send(connection))

    async def send(self, connection):
        """From the oldest unacknowledged, one indication at a time, until the link ends."""
        sent = 0
        while True:
            self.news.clear()
            backlog, oldest = self.flash.backlog()
            following = self.flash.after(sent)
            if following is None or following[0] - oldest >= WINDOW:
                try:
                    await asyncio.wait_for(self.news.wait(), AGAIN_S if backlog else None)
                except asyncio.TimeoutError:
                    sent = 0
                continue
            sent, value = following
            for _ in range(2 if "repeats" in self.faults else 1):
                await self.indicate(connection, self.events, value)
            self.confirmed += 1
            if "power-cut" in self.faults and self.confirmed == CUT_AFTER:
                os.kill(os.getpid(), signal.SIGKILL)

    async def indicate(self, connection, characteristic, value):
        for part in fragments(value, connection.att_mtu):
            await self.device.gatt_server.indicate_subscriber(connection, characteristic, part)

    def acknowledge(self, _, value):
        if len(value) != 8:
            raise ATT_Error(BAD_LENGTH)
        sequence = int.from_bytes(value, "little")
        if sequence > self.flash.last():
            raise ATT_Error(OUT_OF_RANGE)
        self.acknowledgements += 1
        if "lost-acknowledgement" not in self.faults or self.acknowledgements % 2 == 0:
            self.flash.forget(sequence)
            self.news.set()

    # -- what it is told

    def set_time(self, _, value):
        try:
            self.clock.write(value)
        except (ValueError, struct.error):
            raise ATT_Error(OUT_OF_RANGE) from None
        self.spawn(self.tell_state())

    def joined(self, connection, leaf, value):
        try:
            whole = self.joiners.setdefault(leaf, Joiner()).take(value)
            fields = None if whole is None else cbor2.loads(whole)
        except (ValueError, IndexError, cbor2.CBORDecodeError):
            raise ATT_Error(OUT_OF_RANGE) from None
        if whole is not None and not isinstance(fields, dict):
            raise ATT_Error(OUT_OF_RANGE)
        return fields

    def configure(self, connection, value):
        fields = self.joined(connection, "config", value)
        if fields is None:
            return
        if not isinstance(fields.get("revision"), int):
            raise ATT_Error(OUT_OF_RANGE)
        self.flash.save("config", fields)
        self.spawn(self.tell_state())

    def command(self, connection, value):
        fields = self.joined(connection, "command", value)
        if fields is not None and isinstance(fields.get("id"), str) and 0 < len(fields["id"]) <= 64:
            self.spawn(self.answer(connection, fields))

    async def answer(self, connection, fields):
        """The same id is carried out once, and answered as often as it comes."""
        result = self.flash.answered(fields["id"])
        if result is None:
            outcome, reason = self.judge(fields) or self.product.obey(fields["do"])
            result = {"id": fields["id"], "outcome": outcome, "time": self.clock.text()}
            if reason:
                result["reason"] = reason
            self.flash.answer(fields["id"], result)
        await self.indicate(connection, self.results, cbor2.dumps(result))

    def judge(self, fields):
        if fields.get("do") not in self.product.commands:
            return "rejected", "do: " + (" or ".join(self.product.commands) or "nothing can be done")
        try:
            expires = datetime.fromisoformat(str(fields.get("expires")))
            expired = self.clock.now() >= expires
        except (ValueError, TypeError):
            return "rejected", "expires: RFC 3339 with offset"
        if not self.clock.synced:
            return "rejected", "the clock is not set, so the expiry cannot be judged"
        return ("expired", "it came after its expiry") if expired else None
