"""The gateway as client of an MQTT broker: acknowledged to the broker only when it is on disk."""

from gateway.transports.mqtt_client.client import BrokerClient
from gateway.transports.mqtt_client.standing import Standing

__all__ = ["BrokerClient", "Standing"]
