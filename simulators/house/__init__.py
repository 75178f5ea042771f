"""The gateway in virtual time, as the simulation drives it: its core alone, or all its real parts."""
