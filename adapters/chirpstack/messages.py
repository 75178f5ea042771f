# ruff: noqa: N815 - the fields are named as the network writes them
"""The network's events: the fields that are read, in the forms of version 4 and version 3."""

import base64
import binascii
import re
from datetime import datetime
from typing import Annotated, Any

import msgspec

from gateway.contract import Undecodable
from gateway.model.instant import from_iso
from gateway.model.vocabulary import Accuracy, Latitude, Longitude

Word = Annotated[str, msgspec.Meta(max_length=512)]
Fields = dict[str, Any]
Port = Annotated[int, msgspec.Meta(ge=0, le=255)]
Counter = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")
_EUI = re.compile(r"[0-9a-f]{16}")
EUI_BYTES = 8


class DeviceInfo(msgspec.Struct, frozen=True, gc=False):
    """Version 4's block about the device; tenants and applications are not read."""

    devEui: Word = ""
    deviceProfileName: Word = ""
    deviceName: Word = ""
    tags: dict[str, Word] | None = None


class Reception(msgspec.Struct, frozen=True, gc=False):
    """One gateway's reception; its place and name are not read."""

    time: Word | None = None
    rssi: float | None = None


class Fix(msgspec.Struct, frozen=True, gc=False):
    """A place as the network estimated it; a coordinate of 0 is left out on the wire."""

    latitude: Latitude = 0.0
    longitude: Longitude = 0.0
    accuracy: Accuracy | None = None
    source: Word | None = None


class Event(
    msgspec.Struct, frozen=True, gc=False, rename={"decoded": "object", "decoded_text": "objectJSON"}
):
    """Any event; a field of the default value is left out on the wire."""

    deviceInfo: DeviceInfo | None = None
    deduplicationId: Word = ""
    time: Word | None = None
    publishedAt: Word | None = None
    received_at: Word | None = None
    devEUI: Word = ""
    devEui: Word = ""
    deviceProfileName: Word = ""
    deviceName: Word = ""
    tags: dict[str, Word] | None = None
    fCnt: Counter | None = None
    fPort: Port | None = None
    f_port: Port | None = None
    data: str | None = None
    data_hex: str | None = None
    decoded: Fields | None = None
    decoded_text: str | None = None
    rxInfo: list[Reception] | None = None
    margin: float | None = None
    batteryLevel: float | None = None
    batteryLevelUnavailable: bool = False
    externalPowerSource: bool = False
    location: Fix | None = None
    acknowledged: bool | None = None
    level: Word | None = None
    code: Word | None = None
    type: Word | None = None
    devAddr: Word | None = None
    queueItemId: Word | None = None
    error: Any = None
    txInfo: Any = None

    @property
    def port(self) -> int:
        """The LoRaWAN port; 0 is left out on the wire."""
        return self.fPort if self.fPort is not None else self.f_port or 0

    @property
    def names(self) -> list[str]:
        """What may name the product: profile, tags, then the device's name, which is only looked at."""
        info = self.deviceInfo or DeviceInfo()
        tags = [*(info.tags or {}).values(), *(self.tags or {}).values()]
        return [info.deviceProfileName, self.deviceProfileName, *tags, info.deviceName, self.deviceName]

    @property
    def at(self) -> datetime | None:
        """The network's time; in version 3 that of the first gateway which has one."""
        heard = [reception.time for reception in self.rxInfo or ()]
        for text in (self.time, self.received_at, *heard, self.publishedAt):
            if text and (moment := from_iso(text)):
                return moment
        return None

    @property
    def eui(self) -> str:
        """The device by its EUI in lower-case hexadecimal, "" where the event does not tell it."""
        return eui((self.deviceInfo.devEui if self.deviceInfo else "") or self.devEui or self.devEUI)


def eui(text: str) -> str:
    """Return an EUI written as hexadecimal or, as version 3 may, in Base64; "" for anything else."""
    plain = text.lower()
    if _EUI.fullmatch(plain):
        return plain
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex() if len(raw) == EUI_BYTES else ""


def read_event(payload: bytes, native_id: str) -> Event:
    """Read an event; raises Undecodable with the field."""
    try:
        return msgspec.json.decode(payload, type=Event)
    except msgspec.ValidationError as error:
        clause = "CS-FIELD" if "`$." in str(error) else "CS-JSON"
        raise Undecodable(str(error), clause=clause, native_id=native_id) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Undecodable(f"not JSON: {error}", clause="CS-JSON", native_id=native_id) from None
    except RecursionError:
        raise Undecodable("nested too deep", clause="CS-JSON", native_id=native_id) from None


def bytes_of(event: Event, native_id: str) -> bytes:
    """Return an uplink's bytes from Base64 or hexadecimal; raises Undecodable."""
    if event.data_hex is not None or (event.data and len(event.data) % 4 and _HEX.fullmatch(event.data)):
        text = event.data_hex if event.data_hex is not None else event.data or ""
        if not _HEX.fullmatch(text):
            raise Undecodable("`$.data_hex`: not hexadecimal", clause="CS-DATA", native_id=native_id)
        return bytes.fromhex(text)
    try:
        return base64.b64decode(event.data or "", validate=True)
    except (binascii.Error, ValueError):
        raise Undecodable("`$.data`: not Base64", clause="CS-DATA", native_id=native_id) from None


def object_of(event: Event) -> Fields:
    """Return what the network's codec made of the bytes, {} for nothing; version 3 sends it as text."""
    if event.decoded:
        return event.decoded
    try:
        found = msgspec.json.decode(event.decoded_text or "{}")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
