"""Inside: what may be told of inputs made inside the house: answers, proofs, plans, findings of the watch."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec

from gateway.contract import Refused
from gateway.model.alert import Alert
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Frame
from gateway.model.people import Context, Shift, Staff
from gateway.pipeline.answer import Answer
from gateway.pipeline.findings import Finding
from gateway.pipeline.plan import Shifts, StaffList, Visits
from gateway.pipeline.receipt import AGAIN, SHOWN
from gateway.pipeline.watch import KINDS, Report
from gateway.recording.form import AnswerLine, PeopleLine, ReceiptLine, WatchLine, raw
from gateway.recording.names import Names
from gateway.recording.registries import Registries

ANSWERS = frozenset(
    {"accept", "on_site", "release", "decline", "hand_over", "shelve", "suppress", "unshelve", "close"}
)
OWN_SUBJECTS = frozenset({"gateway", "auditor", "chain", "store", "timers", "outbox", "alarms"})
"""What the gateway's findings are about when they are about itself."""
NUMBERS = frozenset({"n", "minutes", "hidden", "count"})
"""Values of findings that are told."""


class Inside:
    """Makes inputs of the house lines; None for what nobody could have carried out or what is not listed."""

    def __init__(self, names: Names, registries: Registries, adapters: Iterable[str]) -> None:
        self._names, self._registries = names, registries
        self._adapters = frozenset(adapters)
        self._told: Mapping[str, Callable[[Frame], Any]] = {
            "people/shifts": self._shifts,
            "people/visits": self._visits,
            "people/staff": self._staff,
        }

    def answer(self, frame: Frame) -> AnswerLine | None:
        """Return what a person did with an alert, without their note."""
        parts = frame.channel.split("/")
        if len(parts) != 3 or parts[0] != "alert" or parts[2] not in ANSWERS:
            return None
        words = msgspec.json.decode(frame.payload, type=Answer)
        ref = self._names.ref
        return AnswerLine(
            n=frame.position,
            at=frame.received_at,
            alert=ref(parts[1]),
            action=parts[2],
            actor=ref(words.actor),
            outcome=words.outcome or "",
            noted=bool(words.note.strip()),
            seen=words.seen,
            seen_severity=words.seen_severity or "",
            eta_s=words.eta_s,
            to=ref(words.to),
            for_s=words.for_s,
            by=ref(words.by),
        )

    def shown(self, frame: Frame) -> ReceiptLine | None:
        """Return that a page shows an alert to somebody."""
        parts = frame.channel.split("/")
        if len(parts) != 2 or parts[0] != SHOWN:
            return None
        return ReceiptLine(
            n=frame.position,
            at=frame.received_at,
            alert=self._names.ref(parts[1]),
            recipient=self._names.ref(frame.payload.decode()),
            state=SHOWN,
        )

    def receipt(self, frame: Frame, delivery: Delivery) -> ReceiptLine | None:
        """Return the proof of a delivery."""
        parts = frame.channel.split("/")
        if parts[1] not in set(DeliveryState):
            return None
        return ReceiptLine(
            n=frame.position,
            at=frame.received_at,
            alert=self._names.ref(delivery.alert),
            recipient=self._names.ref(delivery.recipient),
            state=parts[1],
            delivery=self._names.ref(delivery.id),
            channel=delivery.channel,
            attempt=delivery.attempt,
            again=parts[3:] == [AGAIN],
        )

    def people(self, frame: Frame) -> PeopleLine | None:
        """Return a plan, a context or who can be reached, without actors and sentences."""
        parts = frame.channel.split("/")
        body: Any = {}
        if frame.channel in self._told:
            channel, body = frame.channel, self._told[frame.channel](frame)
        elif len(parts) == 3 and parts[0] == "context" and parts[2] in {"set", "end"}:
            channel = f"context/{self._names.ref(parts[1])}/{parts[2]}"
            if parts[2] == "set":
                body = self._context(msgspec.json.decode(frame.payload, type=Context))
        elif len(parts) == 3 and parts[0] == "staff" and parts[2] == "reach":
            channel = f"staff/{self._names.ref(parts[1])}/reach"
            told = msgspec.json.decode(frame.payload, type=_Reach)
            body = {"channel": self._channel(told.channel), "reachable": told.reachable}
        else:
            return None
        return PeopleLine(
            n=frame.position,
            at=frame.received_at,
            transport=frame.transport,
            channel=channel,
            body=raw(body),
        )

    def watch(self, frame: Frame) -> WatchLine:
        """Return what was found, by its kind and place, without its sentence."""
        report = msgspec.json.decode(frame.payload, type=Report)
        body = {
            "kinds": [kind for kind in report.kinds if kind in KINDS],
            "findings": [self._finding(one) for one in report.findings if one.kind in KINDS],
        }
        return WatchLine(n=frame.position, at=frame.received_at, body=raw(body))

    def subject(self, alert: Alert, known: Collection[str | None]) -> str:
        """Return what an alert is about where that is one reference, "" for a name that was put together."""
        return self._names.ref(alert.subject) if alert.subject in known else ""

    def _finding(self, one: Finding) -> dict[str, Any]:
        subject = one.subject if one.subject in OWN_SUBJECTS else self._names.ref(one.subject)
        numbers = {
            name: value
            for name, value in one.values.items()
            if name in NUMBERS and isinstance(value, int | float)
        }
        told = {"kind": one.kind, "subject": subject, "tenant": self._names.ref(one.tenant)}
        return {**told, "values": numbers}

    def _shifts(self, frame: Frame) -> dict[str, Any]:
        plan = msgspec.json.decode(frame.payload, type=Shifts)
        ref = self._names.ref
        return {
            "source": ref(plan.source),
            "since": plan.since,
            "until": plan.until,
            "shifts": [
                Shift(
                    id=ref(one.id),
                    staff=ref(one.staff),
                    team=ref(one.team),
                    since=one.since,
                    until=one.until,
                    source=ref(one.source),
                    off=one.off,
                )
                for one in plan.shifts
            ],
        }

    def _visits(self, frame: Frame) -> dict[str, Any]:
        plan = msgspec.json.decode(frame.payload, type=Visits)
        told = {"source": self._names.ref(plan.source), "since": plan.since, "until": plan.until}
        return {**told, "visits": [self._context(one) for one in plan.visits]}

    def _staff(self, frame: Frame) -> dict[str, Any]:
        told = msgspec.json.decode(frame.payload, type=StaffList)
        try:
            found = [Staff.of(row) for row in told.staff]
        except ValueError as error:
            raise Refused("a row that is none") from error
        remove = [self._names.ref(name) for name in told.remove]
        return {"staff": [self._registries.staff(one) for one in found], "remove": remove}

    def _context(self, one: Context) -> Context:
        ref = self._names.ref
        return Context(
            id=ref(one.id),
            kind=one.kind,
            home=ref(one.home),
            person=ref(one.person),
            since=one.since,
            until=one.until,
            ref=one.ref if one.ref in self._adapters else ref(one.ref),
            source=ref(one.source),
        )

    def _channel(self, channel: str) -> str:
        return channel if channel in CHANNELS else self._names.ref(channel)


class _Reach(msgspec.Struct, frozen=True):
    channel: str
    reachable: bool


CHANNELS = frozenset({"console", "email", "page", "sms", "voice", "webhook", "webpush"})
"""Our own channels, whose names may be told."""
