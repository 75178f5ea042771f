"""The test cases of the kit, one module an area; `CASES` is all of them in order."""

from gateway.conformance.case import Case
from gateway.conformance.cases import operating, watching

CASES: tuple[Case, ...] = (*operating.CASES, *watching.CASES)
"""Every case, in the order in which they are run; those that only watch are run last."""
