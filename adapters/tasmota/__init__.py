"""Tasmota: switches, buttons, radio remotes and Zigbee sensors behind its firmware."""

from adapters.tasmota.clauses import CLAUSES
from adapters.tasmota.codec import TasmotaAdapter

ADAPTER = TasmotaAdapter()

__all__ = ["ADAPTER", "CLAUSES", "TasmotaAdapter"]
