"""The catalogue: one document a rule, each with the vectors that show it."""
