"""Payload codecs: bytes of a vendor's devices, or what the network made of them, as findings."""
