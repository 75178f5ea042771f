"""Benchmarks: what the whole walk carries, measured over real connections; started by `make bench`."""
