"""A radio in memory for Bluetooth LE: medium, controllers, and bleak's API on top (docs/virtual-radio.md)."""
