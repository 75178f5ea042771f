"""Bluetooth Low Energy: devices that advertise, and devices that are connected, bonded and acknowledged."""

from gateway.transports.ble.radio import Radio
from gateway.transports.ble.standing import Standing
from gateway.transports.ble.transport import BleTransport

__all__ = ["BleTransport", "Radio", "Standing"]
