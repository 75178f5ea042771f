"""Reference devices of the standard interface, each right in everything or wrong in one planted thing."""
