"""A run: every case in its order, with its limit of time; nothing that a case does can end the run."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol

import msgspec

from gateway.conformance import pics
from gateway.conformance.case import Case, Drive
from gateway.conformance.declaration import Declaration
from gateway.conformance.exclusions import Exclusion
from gateway.conformance.ports import CannotDriveError
from gateway.conformance.record import Record
from gateway.conformance.verdict import (
    Finding,
    Ledger,
    Verdict,
    inconclusive,
    not_applicable,
    not_executed,
    overall,
)
from gateway.contract import Clock


class Stand(Protocol):
    """What a run needs of a bench, whatever the device speaks over."""

    @property
    def declaration(self) -> Declaration:
        """What the vendor says of the device."""
        ...

    @property
    def record(self) -> Record:
        """All that was seen."""
        ...

    @property
    def clock(self) -> Clock:
        """The wall clock."""
        ...

    def calm(self) -> None:
        """End every fault that a case made."""
        ...

    async def settle(self) -> None:
        """Let the device come back and say what it had to say."""
        ...


class Requirement(Protocol):
    """A clause of the interface, as far as a run needs it; an empty `profile` is for every device kind."""

    @property
    def id(self) -> str:
        """Its id, as VDI-EVT-02."""
        ...

    @property
    def level(self) -> Literal["must", "should"]:
        """Whether a device must do so."""
        ...

    @property
    def en(self) -> str:
        """Its text in English."""
        ...

    @property
    def sv(self) -> str:
        """Its text in Swedish."""
        ...

    @property
    def profile(self) -> Sequence[str]:
        """The device kinds that it is for."""
        ...


class Tried(msgspec.Struct, frozen=True):
    """What came of one case, and when: seconds since the run began."""

    case: Case
    findings: tuple[Finding, ...]
    at_s: float
    took_s: float


class Standing(msgspec.Struct, frozen=True):
    """How a clause stands after a run."""

    id: str
    level: Literal["must", "should"]
    en: str
    sv: str
    verdict: Verdict
    reason: str


Told = Callable[[int, int, Case, tuple[Finding, ...] | None], None]
"""(number, of how many, case, findings): called before a case with None, and after it with what it found."""


class Run:
    """One device, once through all cases. `execute` may be called once."""

    def __init__(
        self,
        bench: Stand,
        cases: Iterable[Case],
        clauses: Iterable[Requirement],
        exclusions: Iterable[Exclusion] = (),
        told: Told = lambda *_: None,
        *,
        declared: tuple[Case, Case] = pics.CASES,
    ) -> None:
        self.bench = bench
        self.tried: list[Tried] = []
        self.exclusions = tuple(exclusions)
        self._excluded = {one.case: one for one in self.exclusions}
        first, last = declared
        mixed = list(cases)
        watching = [case for case in mixed if case.drive is Drive.WATCH]
        self.cases = [first, *(case for case in mixed if case.drive is not Drive.WATCH), *watching, last]
        self._clauses = list(clauses)
        self._ledger = Ledger()
        self._told = told

    async def execute(self) -> None:
        """Run every case that concerns the device."""
        stopped = ""
        for number, case in enumerate(self.cases, 1):
            self._told(number, len(self.cases), case, None)
            began_s = self.bench.record.now_s()
            findings = (not_executed(stopped),) if stopped else await self._one(case)
            took_s = self.bench.record.now_s() - began_s
            self.tried.append(Tried(case, findings, round(began_s, 3), round(took_s, 3)))
            for finding in findings:
                self._ledger.add(case.clauses, finding)
            self._told(number, len(self.cases), case, findings)
            if number == 1 and findings[0].verdict is Verdict.INCONCLUSIVE:
                stopped = pics.NO_DEVICE

    def standings(self) -> list[Standing]:
        """Return how every clause stands, the kit's own about the declaration first."""
        declared = Standing(pics.CLAUSE, "must", pics.EN, pics.SV, *self._stands(pics.CLAUSE, ()))
        return [declared] + [
            Standing(clause.id, clause.level, clause.en, clause.sv, *self._stands(clause.id, clause.profile))
            for clause in self._clauses
        ]

    def verdict(self) -> Verdict:
        """Return the verdict of the run."""
        return overall((one.level, one.verdict) for one in self.standings())

    def _stands(self, clause: str, profile: Sequence[str]) -> tuple[Verdict, str]:
        kind = self.bench.declaration.device.kind
        if profile and kind not in profile:
            return Verdict.NOT_APPLICABLE, f"the device is a {kind}"
        verdict, found = self._ledger.verdict(clause), self._ledger.of(clause)
        if not found:
            return verdict, "no case tests it"
        return verdict, next(one.reason for one in found if one.verdict is verdict)

    async def _one(self, case: Case) -> tuple[Finding, ...]:
        if why := case.unfit(self.bench.declaration):
            return (not_applicable(why),)
        if (excluded := self._excluded.get(case.id)) is not None:
            return (not_executed(f"excluded by challenge {excluded.challenge}: {excluded.reason}"),)
        try:
            if case.drive is not Drive.WATCH and self.tried:
                await self.bench.settle()
            async with asyncio.timeout(case.within_s):
                found = await case.run(self.bench)
        except CannotDriveError as error:
            return (not_executed(str(error)),)
        except TimeoutError:
            return (inconclusive(f"not finished within {case.within_s:g} s"),)
        except Exception as error:  # noqa: BLE001 - a case that fails blames nobody, and must not end the run
            return (inconclusive(f"the case itself failed: {error!r}"),)
        finally:
            self.bench.calm()
        return (found,) if isinstance(found, Finding) else tuple(found) or (inconclusive("it found nothing"),)


def fits(cases: Iterable[Case], declaration: Declaration) -> list[tuple[Case, str]]:
    """Return every case with why it does not concern the device, empty where it does."""
    return [(case, case.unfit(declaration)) for case in cases]
