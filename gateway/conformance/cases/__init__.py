"""The test cases of the kit, one module an area of the interface; `CASES` is all of them in order."""

from gateway.conformance.case import Case

CASES: tuple[Case, ...] = ()
"""Every case, in the order in which they are run; those that only watch are run last."""
