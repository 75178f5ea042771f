"""The real parts of the gateway in virtual time: a loop that jumps instead of waiting, and its clock."""
