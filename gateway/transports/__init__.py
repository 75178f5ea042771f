"""The ways in: one module per outside library."""
