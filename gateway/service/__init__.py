"""The loops: the only place that reads a clock."""
