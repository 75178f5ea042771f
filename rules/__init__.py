"""Rules: those in plain Python and those of the catalogue's documents; RULES is what the gateway finds."""

from gateway.contract import Rule
from rules.library import rules

RULES: tuple[Rule, ...] = rules()
