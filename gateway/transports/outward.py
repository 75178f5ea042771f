"""Outward: how a message goes to devices by each of the ways that they are reached by."""

from collections.abc import Awaitable, Callable

from gateway.transports.ble import BleTransport
from gateway.transports.mqtt_client import BrokerClient
from gateway.transports.mqtt_listener import MqttListener

Publish = Callable[[str, bytes, bool, float | None], Awaitable[int]]
"""Topic, payload, retained, seconds until it expires; returns how many will have it."""


def by_listener(listener: MqttListener) -> Publish:
    """Return how a message goes to devices at our own listener."""

    async def put(topic: str, payload: bytes, retain: bool, expiry_s: float | None) -> int:  # noqa: FBT001 - the port has it so
        return await listener.publish(topic, payload, retain=retain, expiry_s=expiry_s)

    return put


def by_broker(client: BrokerClient) -> Publish:
    """Return how a message goes to devices at a broker, which alone knows who listens there."""

    async def put(topic: str, payload: bytes, retain: bool, expiry_s: float | None) -> int:  # noqa: FBT001 - the port has it so
        await client.publish(topic, payload, retain=retain, expiry_s=expiry_s)
        return 1

    return put


def by_ble(transport: BleTransport) -> Publish:
    """Return how a message goes to devices on Bluetooth: when they are connected, and until it expires."""

    async def put(topic: str, payload: bytes, retain: bool, expiry_s: float | None) -> int:  # noqa: FBT001 - the port has it so
        del expiry_s  # it is sent at once or not at all
        return await transport.publish(topic, payload, retain=retain)

    return put
