"""Honest latencies: each message counted from the moment at which the scenario meant it to be sent.

A sender that waits for a slow gateway before it sends the next message would leave out of its figures all
that it meant to send meanwhile (coordinated omission). So what is said of the gateway is counted from the
intended time, and how late the sender itself was is said beside it.
"""

from array import array
from collections.abc import Sequence

import msgspec

LATE_S = 0.1
"""A message that is written so long after its intended time was sent late."""


class Share(msgspec.Struct, frozen=True):
    """Quantiles in milliseconds."""

    p50_ms: float
    p99_ms: float
    max_ms: float


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a drive: intended time to write, write to PUBACK, and intended time to PUBACK."""

    messages: int
    late: int
    lag: Share | None
    answer: Share | None
    whole: Share | None


class Times:
    """Collects the times of messages; all in wall seconds."""

    def __init__(self) -> None:
        self._lag, self._answer, self._whole = array("d"), array("d"), array("d")
        self._late = 0

    def written(self, intended: float, at: float) -> None:
        """A message was written to its socket."""
        self._lag.append(max(0.0, at - intended))
        self._late += at - intended > LATE_S

    def answered(self, intended: float, written: float, at: float) -> None:
        """Its PUBACK came."""
        self._answer.append(at - written)
        self._whole.append(at - intended)

    def report(self) -> Latencies:
        """Return the figures."""
        return Latencies(
            messages=len(self._lag),
            late=self._late,
            lag=share(self._lag),
            answer=share(self._answer),
            whole=share(self._whole),
        )


def share(found_s: Sequence[float]) -> Share | None:
    """Return the quantiles of times in seconds; None of none."""
    if not found_s:
        return None
    ordered, last = sorted(found_s), len(found_s) - 1
    return Share(*(round(ordered[min(last, int(part * len(ordered)))] * 1000, 2) for part in (0.5, 0.99, 1)))


def said(found: Latencies) -> list[str]:
    """Say the figures for people."""
    lines = [f"{found.messages} messages, {found.late} of them written over {LATE_S * 1000:.0f} ms late"]
    for word, part in (
        ("intended to written", found.lag),
        ("written to PUBACK", found.answer),
        ("intended to PUBACK", found.whole),
    ):
        if part is not None:
            lines.append(
                f"  {word:20} p50 {part.p50_ms:g} ms, p99 {part.p99_ms:g} ms, max {part.max_ms:g} ms"
            )
    return lines
