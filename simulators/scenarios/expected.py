"""Whether a run came to what its scenario expects; what did not is a sentence with figures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from gateway.model.alert import AlertState, Severity
from simulators.scenarios.evidence import Evidence
from simulators.scenarios.hops import BETWEEN, Chain, Hop, chains, span
from simulators.scenarios.scenario import Expect

TIME_TO_ANSWER = timedelta(hours=1)
"""What was raised later before the end need not have been answered by then."""


def unmet(expect: Expect, evidence: Evidence) -> list[str]:
    """Say everything that did not come as expected."""
    found = [*_counts(expect, evidence)]
    ways = [chain for chain in chains(evidence) if chain.severity is Severity.HIGH]
    if expect.first_carer_within_s is not None:
        found += _too_late(ways, Hop.ARRIVED, expect.first_carer_within_s)
    if expect.from_what_happened_within_s is not None:
        found += _too_late(ways, Hop.HAPPENED, expect.from_what_happened_within_s)
    if expect.nothing_unanswered:
        found += _unanswered(evidence)
    return found


def _counts(expect: Expect, evidence: Evidence) -> Iterator[str]:
    counts = Counter(alert.rule for alert in evidence.alerts.values())
    for rule, wanted in expect.alerts.items():
        most = "any number" if wanted.most is None else str(wanted.most)
        if counts[rule] < wanted.least or (wanted.most is not None and counts[rule] > wanted.most):
            yield f"alerts of {rule}: found {counts[rule]}; expected {wanted.least} to {most}"


def _too_late(ways: Sequence[Chain], first: Hop, within_s: float) -> Iterator[str]:
    for chain in ways:
        took_s = chain.seconds(first, Hop.DISPLAYED)
        if chain.at(first) is None:
            continue
        if took_s is None:
            yield f"{chain.rule} of {chain.subject}: on nobody's phone"
        elif took_s > within_s:
            where = BETWEEN.get(chain.spent_at, "") if chain.spent_at is not None else ""
            said = f"{chain.rule} of {chain.subject}: {span(took_s)} from {first.value!r} to a phone"
            yield f"{said}, most of it {where}; expected {within_s:.0f} s"


def _unanswered(evidence: Evidence) -> Iterator[str]:
    for alert in evidence.alerts.values():
        asked = alert.state is AlertState.OFFERED and alert.severity is not Severity.INFO
        if asked and alert.raised_at < evidence.ends - TIME_TO_ANSWER:
            at = alert.raised_at.isoformat(timespec="seconds")
            yield f"{alert.rule} of {alert.subject}: raised {at}, and nobody has answered"
