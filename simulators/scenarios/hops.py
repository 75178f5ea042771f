"""The way of an alert, hop by hop: from what happened to whoever closed it, and where the time was spent."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

import msgspec

from gateway.model.alert import Alert, AlertEntry, Severity
from gateway.model.delivery import Delivery
from gateway.model.event import Event
from gateway.model.frame import Frame, Transport
from simulators.scenarios.evidence import Evidence


class Hop(StrEnum):
    """What an alert comes to, one after the other."""

    HAPPENED = "happened"
    SENT = "sent by the device"
    ARRIVED = "arrived"
    RAISED = "raised"
    ON_DISK = "on disk"
    QUEUED = "delivery queued"
    TAKEN = "taken by the channel"
    DISPLAYED = "displayed"
    ACCEPTED = "accepted"
    ON_SITE = "on site"
    CLOSED = "closed"


BETWEEN = {
    Hop.SENT: "in the device",
    Hop.ARRIVED: "between device and gateway",
    Hop.RAISED: "in the gateway, until it was judged",
    Hop.ON_DISK: "in the gateway, until it was on disk",
    Hop.QUEUED: "in the gateway, until somebody was chosen",
    Hop.TAKEN: "in the gateway, until a channel took it",
    Hop.DISPLAYED: "in the channel, until a phone showed it",
    Hop.ACCEPTED: "with people, until somebody took it",
    Hop.ON_SITE: "on the way there",
    Hop.CLOSED: "at the home",
}
"""Where the time before a hop is spent."""
TO_SOMEBODY = (Hop.SENT, Hop.ARRIVED, Hop.RAISED, Hop.ON_DISK, Hop.QUEUED, Hop.TAKEN, Hop.DISPLAYED)


class Passed(msgspec.Struct, frozen=True):
    """One hop: when, how long after the one before, and who or what."""

    hop: Hop
    at: datetime
    took_s: float
    by: str = ""


class Chain(msgspec.Struct, frozen=True):
    """The whole way of one alert; before the hop `spent_at` most of the time to somebody's phone went."""

    alert: str
    rule: str
    severity: Severity
    subject: str
    hops: tuple[Passed, ...]
    spent_at: Hop | None

    def at(self, hop: Hop) -> datetime | None:
        """Return when it came to that hop."""
        return next((one.at for one in self.hops if one.hop is hop), None)

    def seconds(self, first: Hop, last: Hop) -> float | None:
        """Return the seconds between two hops, None where it did not come to both."""
        begins, ends = self.at(first), self.at(last)
        return None if begins is None or ends is None else (ends - begins).total_seconds()


class Known(msgspec.Struct, frozen=True):
    """What a journal does not say: when a frame's message was sent, and when a position was on disk."""

    sent: Mapping[tuple[str, bytes], datetime] = {}
    on_disk: Sequence[tuple[int, datetime]] = ()


class Told(msgspec.Struct, frozen=True):
    """What the gateway keeps of one alert besides itself; `event` is what it was raised for, if one."""

    entries: Sequence[AlertEntry]
    deliveries: Sequence[Delivery]
    event: Event | None


def chain_of(
    alert: Alert,
    told: Told,
    frames: Mapping[int, Frame],
    known: Known,
) -> Chain:
    """Return the way of one alert; a hop that it did not come to, or that nobody knows, is left out."""
    moments: list[tuple[Hop, datetime, str]] = []
    event = told.event
    frame = frames.get(alert.frame)
    if event is not None:
        moments.append((Hop.HAPPENED, event.occurred_at, event.device))
    if frame is not None:
        sent = known.sent.get((frame.source, frame.payload))
        moments += [(Hop.SENT, sent, frame.source)] if sent is not None and event is not None else []
        moments.append((Hop.ARRIVED, frame.received_at, frame.ingress))
    moments.append((Hop.RAISED, event.processed_at if event is not None else alert.raised_at, alert.rule))
    place = bisect_left(known.on_disk, alert.frame, key=lambda one: one[0])
    if place < len(known.on_disk):
        moments.append((Hop.ON_DISK, known.on_disk[place][1], ""))
    moments += _on_the_way_out(told.deliveries, frames)
    moments += _with_people(told.entries)
    return _chain(alert, moments)


def chains(evidence: Evidence) -> list[Chain]:
    """Return the ways of all alerts of a run, in the order of their raising."""
    sent = {
        (one.device, payload): one.at
        for token, one in evidence.sent.items()
        for payload in evidence.came.get(token, [])
    }
    known = Known(sent, evidence.on_disk)
    found = []
    for alert in evidence.alerts.values():
        events = evidence.events.get(alert.frame, [])
        event = next((one for one in events if one.id == alert.cause), events[0] if events else None)
        entries, deliveries = evidence.entries.get(alert.id, []), evidence.deliveries.get(alert.id, [])
        found.append(chain_of(alert, Told(entries, deliveries, event), evidence.frames, known))
    return sorted(found, key=lambda chain: chain.hops[0].at)


def report(all_chains: Sequence[Chain], zone: tzinfo = UTC) -> str:
    """Return the ways as text: one line a hop, and one that says where the time went."""
    return "\n\n".join("\n".join(_lines(chain, zone)) for chain in all_chains)


def report_json(all_chains: Sequence[Chain]) -> bytes:
    """Return the ways as JSON, in the shape of `Chain`."""
    return msgspec.json.encode(all_chains)


def span(seconds: float) -> str:
    """Return a length of time as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _lines(chain: Chain, zone: tzinfo) -> Iterator[str]:
    yield f"{chain.rule} of {chain.subject} ({chain.severity.value}), alert {chain.alert}"
    for one in chain.hops:
        took = f"+ {span(one.took_s)}" if one.took_s >= 0.05 else ""
        at = one.at.astimezone(zone).isoformat(sep=" ", timespec="seconds")
        yield f"  {at}  {one.hop.value:22} {took:>14}  {one.by}".rstrip()
    total = chain.seconds(chain.hops[0].hop, Hop.DISPLAYED)
    if total is None:
        yield "  on nobody's phone"
    elif chain.spent_at is not None:
        spent_s = next(one.took_s for one in chain.hops if one.hop is chain.spent_at)
        yield f"  on a phone after {span(total)}; {span(spent_s)} of it {BETWEEN[chain.spent_at]}"


def _chain(alert: Alert, moments: Sequence[tuple[Hop, datetime, str]]) -> Chain:
    hops: list[Passed] = []
    for hop, at, by in moments:
        took_s = (at - hops[-1].at).total_seconds() if hops else 0.0
        hops.append(Passed(hop, at, took_s, by))
    to_somebody = [one for one in hops if one.hop in TO_SOMEBODY]
    spent = max(to_somebody, key=lambda one: one.took_s, default=None)
    return Chain(
        alert.id, alert.rule, alert.severity, alert.subject, tuple(hops), spent.hop if spent else None
    )


def _on_the_way_out(
    deliveries: Sequence[Delivery], frames: Mapping[int, Frame]
) -> Iterator[tuple[Hop, datetime, str]]:
    """Follow the delivery that somebody's phone showed first."""
    if not deliveries:
        return
    proofs = _proofs({one.id for one in deliveries}, frames)
    shown = [one for one in deliveries if (one.id, "displayed") in proofs]
    first = min(shown, key=lambda one: proofs[one.id, "displayed"], default=deliveries[0])
    yield Hop.QUEUED, deliveries[0].queued_at, deliveries[0].recipient
    for hop, word in ((Hop.TAKEN, "sent"), (Hop.DISPLAYED, "displayed")):
        if (first.id, word) in proofs:
            yield hop, proofs[first.id, word], f"{first.channel} of {first.recipient}"


def _proofs(deliveries: set[str], frames: Mapping[int, Frame]) -> dict[tuple[str, str], datetime]:
    """Return when each proof of these deliveries came, by delivery and word."""
    found: dict[tuple[str, str], datetime] = {}
    for frame in frames.values():
        if frame.transport is Transport.RECEIPT:
            _, word, name, *_ = (*frame.channel.split("/"), "", "")
            if name in deliveries:
                found.setdefault((name, word), frame.received_at)
    return found


def _with_people(entries: Sequence[AlertEntry]) -> Iterator[tuple[Hop, datetime, str]]:
    for hop, action in ((Hop.ACCEPTED, "accepted"), (Hop.ON_SITE, "on_site"), (Hop.CLOSED, "closed")):
        found = next((entry for entry in entries if entry.action == action), None)
        if found is not None:
            yield hop, found.at, found.actor
