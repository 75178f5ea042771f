"""Whether a run brought what its scenario expects, a sentence for each thing that it did not."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from gateway.model.alert import Alert, AlertState, Severity
from simulators.driving.account import Account
from simulators.scenarios.scenario import Expect

ANSWERED_WITHIN = timedelta(hours=1)
"""An alert that is younger at the end may still be nobody's."""


def unmet(expect: Expect, account: Account, ends: datetime) -> list[str]:
    """Return what was expected and did not come."""
    return [*_alerts(expect, account), *_times(expect, account), *_unanswered(expect, account, ends)]


def _alerts(expect: Expect, account: Account) -> Iterator[str]:
    found = Counter(alert.rule for alert in account.alerts.values())
    for rule, count in expect.alerts.items():
        if found[rule] < count.least:
            yield f"{rule}: found {found[rule]} alerts; expected at least {count.least}"
        elif count.most is not None and found[rule] > count.most:
            yield f"{rule}: found {found[rule]} alerts; expected at most {count.most}"


def _times(expect: Expect, account: Account) -> Iterator[str]:
    high = [alert for alert in account.alerts.values() if alert.severity is Severity.HIGH]
    for alert in high:
        shown = account.reached["displayed"].get(alert.id)
        yield from _soon(alert, "was raised", alert.raised_at, shown, expect.first_carer_within_s)
        yield from _soon(alert, "happened", alert.occurred_at, shown, expect.from_what_happened_within_s)


def _soon(
    alert: Alert, what: str, since: datetime, shown: datetime | None, within_s: float | None
) -> Iterator[str]:
    if within_s is None:
        return
    who = f"{alert.rule} in {alert.home or 'the gateway'} {what} at {since:%H:%M:%S} UTC"
    if shown is None:
        yield f"{who} and was on nobody's phone; expected within {within_s:g} s"
    elif (took_s := (shown - since).total_seconds()) > within_s:
        yield f"{who} and was on a phone after {took_s:.0f} s; expected within {within_s:g} s"


def _unanswered(expect: Expect, account: Account, ends: datetime) -> Iterator[str]:
    if not expect.nothing_unanswered:
        return
    for alert in account.alerts.values():
        if alert.state is AlertState.OFFERED and alert.raised_at <= ends - ANSWERED_WITHIN:
            where = alert.home or "the gateway"
            yield f"{alert.rule} in {where}: nobody's since {alert.raised_at:%H:%M} UTC"
