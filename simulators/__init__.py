"""Simulators: pretend residents, homes and devices in virtual time; never imports an adapter."""
