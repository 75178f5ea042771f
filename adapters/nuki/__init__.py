"""Nuki locks, over their own MQTT API or over Nuki Hub."""

from adapters.nuki.clauses import CLAUSES
from adapters.nuki.codec import NukiAdapter

ADAPTER = NukiAdapter()

__all__ = ["ADAPTER", "CLAUSES", "NukiAdapter"]
