"""The load generator: QoS 1 over raw sockets, honest latencies, and a record of every acknowledged id."""

from simulators.load.ledger import Report
from simulators.load.plan import Plan
from simulators.load.run import run_load
from simulators.load.sink import Counts, open_sink, serve_sink

__all__ = ["Counts", "Plan", "Report", "open_sink", "run_load", "serve_sink"]
