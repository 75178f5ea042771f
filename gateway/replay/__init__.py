"""A recording walked again with other rules, numbers or another version, and what became different."""
