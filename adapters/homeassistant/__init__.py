"""Home Assistant's MQTT discovery: devices of any maker that announce themselves."""

from adapters.homeassistant.clauses import CLAUSES
from adapters.homeassistant.codec import HomeAssistantAdapter

ADAPTER = HomeAssistantAdapter()

__all__ = ["ADAPTER", "CLAUSES", "HomeAssistantAdapter"]
