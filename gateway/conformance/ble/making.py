"""Making cases whose link may break: a device that cannot be reached is blamed for nothing."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from gateway.conformance.ble.bench import GattBench, NoLinkError, RefusedError
from gateway.conformance.case import Case, Drive
from gateway.conformance.verdict import Finding, inconclusive

Work = Callable[[GattBench], Awaitable[Finding | Sequence[Finding]]]


def case(name: str, clauses: Sequence[str], en: str, sv: str, drive: Drive, run: Work, **more: Any) -> Case:  # noqa: PLR0917 - as a case has them
    """Return a case that is inconclusive where the link fails it."""

    async def guarded(bench: GattBench) -> Finding | Sequence[Finding]:
        try:
            return await run(bench)
        except (NoLinkError, RefusedError) as error:
            return inconclusive(f"what it needed could not be done: {error}", len(bench.record) - 1)

    return Case(id=name, clauses=tuple(clauses), en=en, sv=sv, drive=drive, run=guarded, **more)
