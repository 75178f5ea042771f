"""ONVIF: event notifications of cameras and door controllers as XML."""

from adapters.onvif.codec import CLAUSES, OnvifAdapter

ADAPTER = OnvifAdapter()

__all__ = ["ADAPTER", "CLAUSES", "OnvifAdapter"]
