"""The built-in MQTT listener, in the manner of a device gateway: no broker, no device-to-device traffic."""

from gateway.transports.mqtt_listener.counters import Counters
from gateway.transports.mqtt_listener.credentials import RegistryCredentials
from gateway.transports.mqtt_listener.listener import MqttListener

__all__ = ["Counters", "MqttListener", "RegistryCredentials"]
