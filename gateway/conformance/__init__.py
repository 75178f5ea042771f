"""The conformance kit: holds one real device to the standard device interface, clause by clause."""
