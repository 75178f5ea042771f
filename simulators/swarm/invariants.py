"""What must hold after every run, whatever failed in it; each violation is a sentence with its evidence."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import chain

import msgspec

from gateway.model.alert import Alert, AlertEntry, AlertState, Severity
from gateway.model.delivery import DeliveryState
from gateway.model.frame import Frame, Transport
from gateway.model.trace import Verdict
from gateway.pipeline.walk import Walk
from simulators.scenarios.evidence import Evidence
from simulators.swarm.replayed import differences

ASIDE = frozenset({AlertState.SHELVED, AlertState.SUPPRESSED, AlertState.OUT_OF_SERVICE})
SET_ASIDE = frozenset({"shelved", "suppressed", "out_of_service", "collapsed"})
TAKEN = {"accepted", "confirmed"}
LEASES = {
    Severity.HIGH: timedelta(minutes=45),
    Severity.MEDIUM: timedelta(hours=2),
    Severity.LOW: timedelta(hours=24),
    Severity.INFO: timedelta(hours=24),
}
"""How long an acceptance may hold (alert rules, sections 1 and 6); written here a second time on purpose."""
ON_SITE = timedelta(hours=2)
A_MOMENT = timedelta(seconds=2)


class Violation(msgspec.Struct, frozen=True):
    """An invariant that a run broke."""

    invariant: str
    said: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.said}"


Check = Callable[[Evidence], Iterator[str]]


def violations(walk: Walk, evidence: Evidence, *, replay: bool = True) -> list[Violation]:
    """Check everything; `walk` is what the run should have done its steps with."""
    found = [Violation(name, said) for name, check in CHECKS.items() for said in check(evidence)]
    if replay and not any(one.invariant == "accepted is kept" for one in found):
        found += [Violation("replay equals live", said) for said in differences(walk, evidence)]
    return found


# --- what was accepted ---


def accepted_is_kept(evidence: Evidence) -> Iterator[str]:
    """What the gateway acknowledged is in its journal, byte for byte as it arrived."""
    journal = {(frame.source, frame.channel, frame.payload) for frame in evidence.of_devices()}
    for token, at in evidence.acknowledged.items():
        sent, came = evidence.sent[token], evidence.came.get(token, [])
        if not any((sent.device, sent.message.topic, payload) in journal for payload in came):
            said = f"message {token} of {sent.device} was acknowledged at {_clock(at)}"
            yield f"{said} and is not in the journal"
    if (positions := list(evidence.frames)) != list(range(1, len(positions) + 1)):
        yield f"the journal has {len(positions)} frames with positions up to {positions[-1]}"


def nothing_is_doubled(evidence: Evidence) -> Iterator[str]:
    """What a device said once is one event, however often it arrived; and it is one, not none."""
    heard: dict[tuple[str, str, bytes], list[Frame]] = defaultdict(list)
    for frame in evidence.of_devices():
        heard[frame.source, frame.channel, frame.payload].append(frame)
    for (source, _, payload), frames in heard.items():
        if b'"id"' not in payload:
            continue  # a last will or a status: said anew each time
        telling = [frame.position for frame in frames if evidence.events.get(frame.position)]
        if len(telling) > 1:
            yield f"what {source} sent once became events of frames {_list(telling)}"
    for token, sent in evidence.sent.items():
        came = set(evidence.came.get(token, []))
        ways = [(sent.device, sent.message.topic, payload) for payload in came]
        positions = [frame.position for way in ways for frame in heard.get(way, [])]
        verdicts = {trace.verdict for at in positions for trace in evidence.traces.get(at, [])}
        if Verdict.DUPLICATE in verdicts and not any(evidence.events.get(at) for at in positions):
            told = f"frames {_list(positions)} of {sent.device} were called duplicates"
            yield f"{told}, and no event tells what they said"


# --- alerts ---


def nobody_is_forgotten(evidence: Evidence) -> Iterator[str]:
    """Every open alert has a future deadline that a timer keeps; no promise is overdue."""
    for alert in evidence.alerts.values():
        if alert.state is AlertState.CLOSED:
            continue
        if alert.deadline is None or alert.deadline < evidence.ends - A_MOMENT:
            yield f"{_name(alert)} is open and its deadline was {_clock(alert.deadline)}"
    for alert_id in evidence.unwatched:
        yield f"{_name(evidence.alerts[alert_id])} is open and no timer keeps its deadline"
    for timer in evidence.snapshot.timers.values():
        if timer.due_at < evidence.ends - A_MOMENT:
            name = timer.key.replace("\0", " ")
            yield f"timer {name} was due at {_clock(timer.due_at)} and is still waiting"


def high_is_never_held_back(evidence: Evidence) -> Iterator[str]:
    """A High alert is never shelved, suppressed, gathered or delayed: it is sent when it is raised."""
    for alert in evidence.alerts.values():
        for entry in evidence.entries.get(alert.id, []):
            if entry.severity is Severity.HIGH and entry.action in SET_ASIDE:
                yield f"{_name(alert)} was {entry.action} at {_clock(entry.at)} by frame {entry.frame}"
        if alert.severity is Severity.HIGH:
            yield from _held_back(evidence, alert)


def _held_back(evidence: Evidence, alert: Alert) -> Iterator[str]:
    speaker = alert.incident or alert.suppressed_by
    if alert.state in ASIDE or speaker:
        yield f"{_name(alert)} is {alert.state.value}, spoken for by {speaker!r}"
    sent = evidence.deliveries.get(alert.id, [])
    first = min((one.queued_at for one in sent), default=None)
    if first is None:
        yield f"{_name(alert)} was sent to nobody"
    elif not alert.worse_at and first > alert.raised_at + A_MOMENT:
        yield f"{_name(alert)} was raised at {_clock(alert.raised_at)} and queued only at {_clock(first)}"
    for one in sent:
        if one.reason.startswith("the channel rests") and one.round >= alert.worse_at:
            yield f"delivery {one.id} of {_name(alert)} was not tried: {one.reason}"


def every_decision_has_a_reason(evidence: Evidence) -> Iterator[str]:
    """Alerts say why, and their histories are whole; a frame that became no event says where it stopped."""
    for alert in evidence.alerts.values():
        yield from _unexplained(evidence, alert)
    for frame in evidence.of_devices():
        at = frame.position
        if not (evidence.events.get(at) or evidence.traces.get(at)):
            yield f"frame {at} of {frame.source} became no event and no remark says why"
    for trace in chain.from_iterable(evidence.traces.values()):
        if not trace.reason:
            yield f"frame {trace.frame} was {trace.verdict.value} at {trace.step} without a reason"
        if trace.step == "engine":
            yield f"frame {trace.frame}: {trace.reason}"


def _unexplained(evidence: Evidence, alert: Alert) -> Iterator[str]:
    versions = [entry.version for entry in evidence.entries.get(alert.id, [])]
    if not alert.reason:
        yield f"{_name(alert)} has no reason"
    if versions != list(range(1, alert.version + 1)):
        yield f"{_name(alert)} is at version {alert.version}, its history has {_list(versions)}"
    for one in evidence.deliveries.get(alert.id, []):
        if one.state in {DeliveryState.FAILED, DeliveryState.SKIPPED} and not one.reason:
            yield f"delivery {one.id} of {_name(alert)} is {one.state.value} and does not say why"


def persons_are_never_merged(evidence: Evidence) -> Iterator[str]:
    """What is raised, counted or cleared on a person's alert comes from that person's own devices."""
    for alert in evidence.alerts.values():
        if not alert.home:
            continue
        for entry in evidence.entries.get(alert.id, []):
            events = evidence.events.get(entry.frame, [])
            if not events or entry.action in {"collapsed", "carried", "released_from_incident"}:
                continue
            if not any((event.home, event.person) == (alert.home, alert.person) for event in events):
                theirs = f"{events[0].home}, {events[0].person}"
                yield f"{_name(alert)} was {entry.action} by frame {entry.frame}, which is of {theirs}"


def quarantine_keeps_the_bytes(evidence: Evidence) -> Iterator[str]:
    """What could not be read is kept as it came, with the reason."""
    for position, traces in evidence.traces.items():
        if not any(trace.verdict is Verdict.QUARANTINED for trace in traces):
            continue
        frame, kept = evidence.frames[position], evidence.quarantine.get(position)
        if kept is None:
            yield f"frame {position} of {frame.source} was quarantined, and its bytes are not there"
        elif (kept[0].payload, kept[0].channel) != (frame.payload, frame.channel) or not kept[2]:
            yield f"the quarantine of frame {position} is not what arrived, or has no reason"


def every_lease_ends(evidence: Evidence) -> Iterator[str]:
    """Who took an alert comes, says so again, or loses it: no acceptance holds for longer than its lease."""
    away = _away(evidence)
    for alert in evidence.alerts.values():
        history = evidence.entries.get(alert.id, [])
        for entry, following in zip(history, [*history[1:], None], strict=True):
            lease = _lease(entry, alert)
            until = evidence.ends if following is None else following.at
            if lease is None:
                continue
            said = f"{_name(alert)} was {entry.action} by {entry.actor} at {_clock(entry.at)}"
            if until > entry.at + lease + away + A_MOMENT:
                yield f"{said}, and nothing came until {_clock(until)}"
            if following is None and (alert.deadline or until) > entry.at + lease + A_MOMENT:
                yield f"{said}, and that holds until {_clock(alert.deadline)}"


def _lease(entry: AlertEntry, alert: Alert) -> timedelta | None:
    if entry.action == "on_site":
        return ON_SITE
    return LEASES[entry.severity or alert.severity] if entry.action in TAKEN else None


def _away(evidence: Evidence) -> timedelta:
    """Return how long nobody could end a lease in time: before a new start, while the disk refused."""
    longest, before = timedelta(0), evidence.begins
    for frame in evidence.frames.values():
        if frame.channel == "start" and frame.transport is Transport.CLOCK:
            longest = max(longest, frame.received_at - before)
        before = frame.received_at
    return longest + sum((one.ends - one.begins for one in evidence.disks), timedelta(0))


CHECKS: dict[str, Check] = {
    "accepted is kept": accepted_is_kept,
    "nothing is doubled": nothing_is_doubled,
    "nobody is forgotten": nobody_is_forgotten,
    "high is never held back": high_is_never_held_back,
    "every decision has a reason": every_decision_has_a_reason,
    "persons are never merged": persons_are_never_merged,
    "quarantine keeps the bytes": quarantine_keeps_the_bytes,
    "every lease ends": every_lease_ends,
}


def _name(alert: Alert) -> str:
    return f"alert {alert.id} ({alert.rule}, {alert.subject}, {alert.severity.value})"


def _clock(at: datetime | None) -> str:
    return "never" if at is None else at.isoformat(timespec="seconds")


def _list(positions: list[int]) -> str:
    shown = ", ".join(map(str, positions[:8]))
    return shown if len(positions) <= 8 else f"{shown} and {len(positions) - 8} more"
