"""The test cases of the kit, one module an area; `CASES` is all of them in order."""

from gateway.conformance.case import Case
from gateway.conformance.cases import commands, configs, kinds, operating, outages, watching

CASES: tuple[Case, ...] = (
    *operating.CASES,
    *outages.CASES,
    *commands.CASES,
    *configs.CASES,
    *watching.CASES,
    *kinds.CASES,
)
"""Every case, in the order in which they are run; those that only watch are run last."""
