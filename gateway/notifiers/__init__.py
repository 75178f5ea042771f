"""The ways out to a person: one module per channel."""
