"""BTHome v2: sensors and buttons that advertise their state over Bluetooth Low Energy."""

from adapters.bthome.advertisement import CLAUSES
from adapters.bthome.codec import BTHomeAdapter

ADAPTER = BTHomeAdapter()

__all__ = ["ADAPTER", "CLAUSES", "BTHomeAdapter"]
