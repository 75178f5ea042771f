"""The evaluation of a pilot: what was delivered, what it cost, and what came of it."""
