"""SCAIP: alarm senders' XML messages, as deployed units write them."""

from adapters.scaip.codec import CLAUSES, ScaipAdapter

ADAPTER = ScaipAdapter()

__all__ = ["ADAPTER", "CLAUSES", "ScaipAdapter"]
