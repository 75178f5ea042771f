"""ESPHome: entities of a node over MQTT, each on a topic of its own."""

from adapters.esphome.clauses import CLAUSES
from adapters.esphome.codec import EspHomeAdapter

ADAPTER = EspHomeAdapter()

__all__ = ["ADAPTER", "CLAUSES", "EspHomeAdapter"]
