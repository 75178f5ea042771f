"""The service data of an advertisement: as AD structures on the air, or as a scanner's JSON."""

import re
from typing import Any

import msgspec

from gateway.contract import Undecodable

CLAUSES: dict[str, str] = {
    "BTH-TOPIC": "The channel is ble/adv/{address}.",
    "BTH-ADVERTISEMENT": "The payload is AD structures, or JSON with service_uuid and service_data_hex.",
    "BTH-SIGNAL": "What the gateway says of the signal is a whole number of dBm.",
    "BTH-UUID": "There is service data of the UUID FCD2 (BTHome v2).",
    "BTH-VERSION": "The version in the device information byte is 2.",
    "BTH-ENCRYPTED": "The data is not encrypted: bit 0 of the device information byte is 0.",
    "BTH-OBJECT": "The objects are those of the format, each as long as it says.",
}
"""Every clause by its id (bthome.io/format)."""

UUID = "fcd2"
OLD = frozenset({"181c", "181e"})
"""Service data of BTHome v1."""
_BASE = "-0000-1000-8000-00805f9b34fb"
_SERVICE_DATA_16 = 0x16
_LONE_ADDRESS = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")


def address_of(channel: str) -> str:
    """Return the address of the channel in capitals; raises Undecodable for another channel."""
    parts = channel.split("/")
    if len(parts) != 3 or parts[:2] != ["ble", "adv"] or not parts[2] or len(parts[2]) > 64:
        raise Undecodable("the channel is not ble/adv/{address}", clause="BTH-TOPIC")
    written = parts[2].upper().replace("-", ":")
    return written if _LONE_ADDRESS.fullmatch(written) else parts[2]


def service_data(payload: bytes, address: str) -> bytes:
    """Return the service data of BTHome v2; raises Undecodable where there is none."""
    found = _from_json(payload, address) if payload.lstrip()[:1] == b"{" else _from_air(payload)
    if UUID in found:
        return found[UUID]
    if OLD & found.keys():
        raise Undecodable(
            "BTHome v1: update the device's firmware to v2", clause="BTH-UUID", native_id=address
        )
    if not found:
        raise Undecodable("no service data", clause="BTH-ADVERTISEMENT", native_id=address)
    raise Undecodable("service data of another UUID than FCD2", clause="BTH-UUID", native_id=address)


def _from_air(payload: bytes) -> dict[str, bytes]:
    """Read AD structures: length, type, data; the 16-bit UUID stands little-endian before its data."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(payload) and payload[at]:
        structure = payload[at + 1 : at + 1 + payload[at]]
        if len(structure) == payload[at] and len(structure) > 2 and structure[0] == _SERVICE_DATA_16:
            found.setdefault(f"{structure[2]:02x}{structure[1]:02x}", structure[3:])
        at += 1 + payload[at]
    return found


def _from_json(payload: bytes, address: str) -> dict[str, bytes]:
    try:
        said: Any = msgspec.json.decode(payload)
        pairs: list[tuple[Any, Any]] = [(said.get("service_uuid"), said.get("service_data_hex"))]
        many = said.get("service_data")
        pairs += list(many.items()) if isinstance(many, dict) else [(said.get("service_uuid"), many)]
        return {
            _short(uuid): bytes.fromhex(data)
            for uuid, data in pairs
            if isinstance(uuid, str) and isinstance(data, str)
        }
    except (msgspec.DecodeError, ValueError, AttributeError, RecursionError, UnicodeDecodeError):
        reason = "not a scanner's JSON with hexadecimal service data"
        raise Undecodable(reason, clause="BTH-ADVERTISEMENT", native_id=address) from None


def _short(uuid: str) -> str:
    return uuid.lower().removeprefix("0x").removesuffix(_BASE).removeprefix("0000")
