"""Verdicts: what can come of a case, of a clause, and of a whole run; a failure is never overwritten."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

import msgspec


class Verdict(StrEnum):
    """What was found; only a pass is a pass."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not applicable"
    NOT_EXECUTED = "not executed"


_WORST_FIRST = (
    Verdict.FAIL,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_EXECUTED,
    Verdict.PASS,
    Verdict.NOT_APPLICABLE,
)


class Finding(msgspec.Struct, frozen=True):
    """What one case found: the reason in one English sentence, and the numbers of the packets that show it.

    `clauses` narrows it to some of the case's clauses; without it the finding is of all of them.
    """

    verdict: Verdict
    reason: str
    evidence: tuple[int, ...] = ()
    clauses: tuple[str, ...] = ()


def passed(reason: str, *evidence: int) -> Finding:
    """The device did what the clause asks."""
    return Finding(Verdict.PASS, reason, evidence)


def failed(reason: str, *evidence: int) -> Finding:
    """The device broke the clause; the evidence shows it."""
    return Finding(Verdict.FAIL, reason, evidence)


def inconclusive(reason: str, *evidence: int) -> Finding:
    """The case ran and what it needed to see did not happen; neither pass nor fail can be said."""
    return Finding(Verdict.INCONCLUSIVE, reason, evidence)


def not_applicable(reason: str) -> Finding:
    """The clause does not concern this device."""
    return Finding(Verdict.NOT_APPLICABLE, reason)


def not_executed(reason: str) -> Finding:
    """The case could not be run: nobody and nothing could do what it asks of the device."""
    return Finding(Verdict.NOT_EXECUTED, reason)


def about(clause: str, finding: Finding) -> Finding:
    """Narrow a finding to one of its case's clauses."""
    return msgspec.structs.replace(finding, clauses=(clause,))


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of a clause from those of its findings: the worst; not executed without any."""
    found = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in found), Verdict.NOT_EXECUTED)


def overall(clauses: Iterable[tuple[Literal["must", "should"], Verdict]]) -> Verdict:
    """Return the verdict of a run: fail for a broken must-clause, pass only when every one was tested.

    A should-clause changes nothing; a must-clause that does not apply to the device needs no test.
    """
    must = [verdict for level, verdict in clauses if level == "must"]
    if Verdict.FAIL in must:
        return Verdict.FAIL
    untested = {Verdict.INCONCLUSIVE, Verdict.NOT_EXECUTED} & set(must)
    return Verdict.PASS if Verdict.PASS in must and not untested else Verdict.INCONCLUSIVE


class Ledger:
    """Keeps every finding of a run by clause; adding is all that can be done to it."""

    def __init__(self) -> None:
        self._found: dict[str, list[Finding]] = {}

    def add(self, clauses: Iterable[str], finding: Finding) -> None:
        """Note a finding under the clauses that it is about."""
        for clause in finding.clauses or tuple(clauses):
            self._found.setdefault(clause, []).append(finding)

    def of(self, clause: str) -> tuple[Finding, ...]:
        """Return what was found about a clause, in order."""
        return tuple(self._found.get(clause, ()))

    def verdict(self, clause: str) -> Verdict:
        """Return how the clause stands."""
        return together(finding.verdict for finding in self.of(clause))
