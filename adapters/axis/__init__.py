"""Axis: cameras, door stations and sensors that publish their events over MQTT."""

from adapters.axis.codec import CLAUSES, AxisAdapter

ADAPTER = AxisAdapter()

__all__ = ["ADAPTER", "CLAUSES", "AxisAdapter"]
