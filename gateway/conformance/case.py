"""A case: which clauses it verifies, for whom, what it needs, who drives the device, and how it is run."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.conformance.declaration import Declaration
from gateway.conformance.verdict import Finding
from gateway.model.vocabulary import DeviceKind


class Drive(StrEnum):
    """Who moves the device while a case runs.

    WATCH: nobody; it judges all packets of the whole run and is run last. PROBE: faults and the
    counterpart alone. OPERATE: somebody must operate the device too, by its upper tester or by hand.
    """

    WATCH = "watch"
    PROBE = "probe"
    OPERATE = "operate"


Run = Callable[[Any], Awaitable[Finding | Sequence[Finding]]]
"""What a case does with the bench of its transport."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One test case. `kinds` empty: every device. `needs`: flags of the PICS (`Declaration.flags`).

    `within_s` is the longest time that it may take on the bench's clock; past it the case is inconclusive.
    """

    id: str
    clauses: tuple[str, ...]
    en: str
    sv: str
    drive: Drive
    run: Run
    kinds: frozenset[DeviceKind] = field(default_factory=frozenset)
    needs: frozenset[str] = field(default_factory=frozenset)
    within_s: float = 300.0

    def unfit(self, declaration: Declaration) -> str:
        """Return why the case does not concern a device, empty when it does."""
        if self.kinds and declaration.device.kind not in self.kinds:
            return f"the device is a {declaration.device.kind}"
        missing = sorted(self.needs - declaration.flags)
        return f"the declaration does not claim {', '.join(missing)}" if missing else ""
