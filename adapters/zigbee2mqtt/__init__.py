"""Zigbee2MQTT: locks, contacts, motion and other sensors behind one bridge."""

from adapters.zigbee2mqtt.clauses import CLAUSES
from adapters.zigbee2mqtt.codec import Zigbee2MqttAdapter

ADAPTER = Zigbee2MqttAdapter()

__all__ = ["ADAPTER", "CLAUSES", "Zigbee2MqttAdapter"]
