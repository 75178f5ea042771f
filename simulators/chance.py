"""Chance from one seed: every device has a stream of its own, so one more device changes no other."""

from random import Random


def stream(seed: int, home: str, device: str) -> Random:
    """Return the random stream of that device in that home; the same three always give the same numbers."""
    return Random(f"{seed}\0{home}\0{device}")  # noqa: S311 - a simulation must be repeatable, not secret
