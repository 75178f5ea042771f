"""Rules: the safety rules in plain Python; RULES is what the gateway finds."""
