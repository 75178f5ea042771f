"""Traccar: trackers of many makes behind one server, which forwards their positions and events."""

from adapters.traccar.clauses import CLAUSES
from adapters.traccar.codec import TraccarAdapter

ADAPTER = TraccarAdapter()

__all__ = ["ADAPTER", "CLAUSES", "TraccarAdapter"]
