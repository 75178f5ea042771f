"""Bluetooth LE peripherals as simulated devices, each written from its document alone."""
