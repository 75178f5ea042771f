"""Simulators: pretend residents, homes and devices; never imports an adapter."""
