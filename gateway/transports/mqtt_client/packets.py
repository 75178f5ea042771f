"""The packets that the client sends: greeting, last will, status, subscriptions, acknowledgements."""

import re
from collections.abc import Sequence
from datetime import datetime
from struct import Struct

import msgspec
from mqtt5 import ConnectPacket, PublishPacket, QoS, RetainHandling, SubscribePacket, TopicFilter, Will

from gateway.config import BrokerSettings
from gateway.contract import ConfigurationError

MAX_PACKET_BYTES = 4 * 1024 * 1024
"""Largest packet taken from a broker: inventories kept by bridges (all devices of a radio network in one
retained message) reach megabytes, and must end in quarantine, not in an endless redelivery."""

QOS2 = 0x10000
"""Added to the packet id in a token when the message came with QoS 2."""

_NO_LEVEL = re.compile("[/+#\0]")
_ACK = Struct(">HH").pack
_PUBACK, _PUBREC = 0x4002, 0x5002  # packet type, then remaining length 2: success in both protocol levels


def acknowledgements(tokens: Sequence[int]) -> bytes:
    """Join PUBACK (QoS 2: PUBREC) packets for one write; token 0 is QoS 0 and has none."""
    return b"".join([_ACK(_PUBACK if t < QOS2 else _PUBREC, t & 0xFFFF) for t in tokens if t])


def status_topic(client_id: str) -> str:
    """Where the gateway tells how it is (standard device interface, version 1: status)."""
    return f"vaka/1/gateway/{_NO_LEVEL.sub('-', client_id)}/status"


def status_payload(client_id: str, word: str, code: str, at: datetime, *, known: bool = True) -> bytes:
    """Write a CloudEvent `device.<word>`; a will is written at `at` but happens later: `known` False."""
    event = {
        "specversion": "1.0",
        "id": f"{client_id}-{at.timestamp():.6f}-{code}",
        "source": status_topic(client_id).removesuffix("/status"),
        "type": f"vaka.device.{word}.v1",
        "clockquality": "synced" if known else "none",
        "data": {"code": code},
    }
    return msgspec.json.encode(event | {"time": at.isoformat()} if known else event)


def connect_packet(settings: BrokerSettings, at: datetime) -> ConnectPacket:
    """Make the greeting: persistent session, back-pressure, and the will for a lost connection."""
    lost = status_payload(settings.client_id, "offline", "connection_lost", at, known=False)
    password = settings.password.get_secret_value().encode() if settings.password else None
    return ConnectPacket(
        settings.client_id,
        username=settings.username,
        password=password,
        clean_start=False,
        will=Will(status_topic(settings.client_id), payload=lost, qos=QoS.AT_LEAST_ONCE, retain=True),
        keep_alive=settings.keep_alive_s,
        session_expiry_interval=settings.session_expiry_s,
        receive_max=settings.receive_maximum,
        max_packet_size=MAX_PACKET_BYTES,
    )


def status_packet(
    settings: BrokerSettings, packet_id: int, word: str, code: str, at: datetime
) -> PublishPacket:
    """Make the retained status message of the gateway itself, QoS 1."""
    return PublishPacket(
        status_topic(settings.client_id),
        status_payload(settings.client_id, word, code, at),
        qos=QoS.AT_LEAST_ONCE,
        retain=True,
        packet_id=packet_id,
    )


def subscribe_packet(packet_id: int, filters: Sequence[str]) -> SubscribePacket:
    """Ask for QoS 1; "retained" shall mean an old state, so the flag is not kept on live messages."""
    return SubscribePacket(
        packet_id,
        [
            TopicFilter(
                pattern,
                max_qos=QoS.AT_LEAST_ONCE,
                retain_as_published=False,
                retain_handling=RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS,
            )
            for pattern in filters
        ],
    )


def checked_filters(broker: str, filters: Sequence[str]) -> tuple[str, ...]:
    """Return the filters without repeats; ConfigurationError for one that MQTT 5 section 4.7 forbids."""
    for pattern in filters:
        levels = pattern.split("/")
        wild = [level for level in levels if ("#" in level or "+" in level) and level not in ("#", "+")]
        if wild or not pattern or "\0" in pattern or "#" in levels[:-1] or len(pattern.encode()) > 0xFFFF:
            raise ConfigurationError(
                f"broker {broker}: topics: {pattern!r}; allowed: + as a whole level, # as the last one"
            )
    return tuple(dict.fromkeys(filters))
