"""Shelly of the second generation and later: buttons, inputs, flood, smoke, presence and batteries."""

from adapters.shelly.clauses import CLAUSES
from adapters.shelly.codec import ShellyAdapter

ADAPTER = ShellyAdapter()

__all__ = ["ADAPTER", "CLAUSES", "ShellyAdapter"]
