"""Frigate: a network video recorder's tracked objects, of which persons alone are read."""

from adapters.frigate.codec import CLAUSES, FrigateAdapter

ADAPTER = FrigateAdapter()

__all__ = ["ADAPTER", "CLAUSES", "FrigateAdapter"]
