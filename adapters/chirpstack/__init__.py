"""LoRaWAN devices behind ChirpStack, version 4 and 3: the network's events and the devices' own payloads."""

from adapters.chirpstack.clauses import CLAUSES
from adapters.chirpstack.codec import ChirpStackAdapter

ADAPTER = ChirpStackAdapter()

__all__ = ["ADAPTER", "CLAUSES", "ChirpStackAdapter"]
