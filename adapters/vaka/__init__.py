"""The standard device interface, version 1."""

from adapters.vaka.clauses import CLAUSES
from adapters.vaka.codec import VakaAdapter

ADAPTER = VakaAdapter()

__all__ = ["ADAPTER", "CLAUSES", "VakaAdapter"]
