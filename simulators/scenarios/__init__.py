"""Scenarios: files that say who lives where, what happens and what fails, and what must come of it."""
