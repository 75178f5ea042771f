"""Rehearse: a rule's own test vectors through the real walk, in virtual time, in a home made for each."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from gateway.contract import Rule, as_active
from gateway.contract.library import Expected, Vector, VectorStep
from gateway.model.alert import Alert
from gateway.model.frame import Frame, Transport
from gateway.model.people import Context, ContextKind
from gateway.model.reading import Reading
from gateway.model.registry import RegistryDocument
from gateway.model.vocabulary import VOCABULARY, ClockQuality, DeviceKind
from gateway.pipeline.decode import NOTHING, Decoded
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk

ADAPTER = "rehearsal"
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
COMPARED = frozenset({"raised", "repeated", "changed", "cleared"})
MAX_TICKS = 20_000
"""A rule that arms timer after timer ends its trial, and nobody's patience."""


def rehearse(rules: Mapping[str, Rule], own: Sequence[Rule], vector: Vector) -> list[str]:
    """Return what went otherwise than the vector expects, one line each; nothing when all went so.

    `own` are the rules on trial, `rules` those that a vector may need beside (`also`).
    """
    found = trial(rules, own, vector)
    faults = []
    if bool(found) != vector.fires:
        faults.append(
            f"found {'an alert' if found else 'no alert'}; expected {'one' if vector.fires else 'none'}"
        )
    faults += [f"found {_shown(one)}; expected nothing more" for one in found[len(vector.expect) :]]
    faults += [f"found nothing more; expected {_shown(one)}" for one in vector.expect[len(found) :]]
    for got, wanted in zip(found, vector.expect, strict=False):
        if not _like(got, wanted):
            faults.append(f"found {_shown(got)}; expected {_shown(wanted)}")
    return faults


def trial(rules: Mapping[str, Rule], own: Sequence[Rule], vector: Vector) -> list[Expected]:
    """Return what the alerts of the rules on trial went through, in order."""
    stage = _Stage([as_active(rule) for rule in (*own, *(rules[name] for name in vector.also))], own, vector)
    for step in vector.steps:
        stage.until(step.at)
        stage.act(step)
    stage.until(max([step.at for step in vector.steps], default=0) if vector.until is None else vector.until)
    return stage.found


def _like(got: Expected, wanted: Expected) -> bool:
    same = got.what == wanted.what and abs(got.at - wanted.at) < 0.5
    for name in ("severity", "route", "type"):
        same = same and getattr(wanted, name) in ("", getattr(got, name))
    same = same and (wanted.accept is None or abs((got.accept or 0) - wanted.accept) < 0.01)
    return same and wanted.latched in (None, got.latched)


def _shown(one: Expected) -> str:
    return " ".join(f"{name}={value}" for name, value in msgspec.to_builtins(one).items())


class _Stage:
    """One home, one person, some devices, and a gateway that only this rule judges for."""

    def __init__(self, rules: list[Rule], own: Sequence[Rule], vector: Vector) -> None:
        self.walk = Walk((), rules, ("page",))
        self.own = tuple(rule.id for rule in own)
        self.vector = vector
        self.state = State()
        self.start = self.now = datetime.fromisoformat(vector.starts).astimezone(UTC)
        self.position = 0
        self.found: list[Expected] = []
        self._alerts: dict[str, Alert] = {}
        document = RegistryDocument.of(registry(vector, self.own))
        self._step(Transport.REGISTRY, payload=document.to_json())

    def until(self, second: float) -> None:
        """Let time pass; every timer fires when it is due."""
        end = self.start + timedelta(seconds=second)
        for _ in range(MAX_TICKS):
            due = self.state.next_due()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self._step(Transport.CLOCK)
        else:
            raise ValueError(f"{self.own[0]}: more than {MAX_TICKS} ticks in one vector")
        self.now = max(self.now, end)

    def act(self, step: VectorStep) -> None:
        """Do what a step says."""
        if step.down:
            self.now += timedelta(seconds=step.down)
            self._step(Transport.CLOCK, channel="start")
        if step.context:
            self._context(step)
        if step.says:
            self._says(step)
        for alert in list(self.state.alerts.values()) if step.answer else ():
            payload = {"actor": "rehearsal", "seen": alert.count}
            payload |= {"outcome": "real"} if step.answer == "close" else {}
            channel = f"alert/{alert.id}/{step.answer}"
            self._step(Transport.PERSON, channel=channel, payload=msgspec.json.encode(payload))

    def _context(self, step: VectorStep) -> None:
        since = self.now + timedelta(seconds=step.begins)
        context = Context(
            id=f"{step.context}-{self.position}",
            kind=ContextKind(step.context),
            home="home",
            since=since,
            until=since + timedelta(seconds=step.lasts),
        )
        channel = f"context/{context.id}/set"
        self._step(Transport.PERSON, channel=channel, payload=msgspec.json.encode(context))

    def _says(self, step: VectorStep) -> None:
        reading = Reading(
            native_id=step.device or next(iter(self.vector.devices)),
            kind=DeviceKind.UNKNOWN,
            type=step.says,
            values=msgspec.convert(step.values, VOCABULARY[step.says].values),
            occurred_at=self.now - timedelta(seconds=step.ago),
            clock=ClockQuality.SYNCED,
            key=f"{self.position}",
            happened=True,
        )
        self._step(Transport.MQTT, decoded=Decoded(ADAPTER, (reading,)))

    def _step(
        self, transport: Transport, *, channel: str = "", payload: bytes = b"", decoded: Decoded = NOTHING
    ) -> None:
        self.position += 1
        frame = Frame(transport, channel, payload, self.now, position=self.position)
        self.walk.step(self.state, frame, decoded, frozenset(), self.now)
        self._note(list(self._taken()))

    def _taken(self) -> Iterator[Expected]:
        changes = self.state.take_changes()
        self._alerts.update(changes.alerts)
        for fault in changes.refusals.values():
            raise ValueError(f"{self.vector.name}: {fault}")
        for entry in changes.entries:
            alert = self._alerts[entry.alert]
            if entry.action in COMPARED and alert.rule in self.own:
                yield Expected(
                    at=(entry.at - self.start).total_seconds(),
                    what=entry.action,  # type: ignore[arg-type] # one of COMPARED
                    severity=alert.severity.value,
                    accept=alert.accept_within_s,
                    route=str(alert.route),
                    type=alert.type.value,
                    latched=alert.latched,
                )

    def _note(self, taken: list[Expected]) -> None:
        self.found += taken


def registry(vector: Vector, rules: Sequence[str]) -> dict[str, Any]:
    """Return the registry of a trial, as its file would say it."""
    records, enrolments = [], []
    for name, given in vector.devices.items():
        told = {"home": "home", "person": "person", "since": LONG_AGO, "supervised": False, **given}
        record = {"id": name, "tenant": "town", "adapter": ADAPTER, "native_id": name}
        record |= {"kind": told.pop("kind")} | ({"via": told.pop("via")} if "via" in told else {})
        records.append(record)
        enrolments.append({"device": name, **told})
    ladder = {"tenant": "town", "steps": [{"to": ["team"]}], "repeat_s": 7 * 86_400}
    home = {"id": "home", "tenant": "town", "unit": "unit", "care_ladder": "care"}
    document: dict[str, Any] = {
        "tenant": [{"id": "town", "name": "Town"}],
        "unit": [{"id": "unit", "tenant": "town", "name": "Unit"}],
        "team": [{"id": "team", "unit": "unit", "name": "Team"}],
        "ladder": [{"id": "care", **ladder}, {"id": "technical", **ladder}],
        "home": [{**home, "technical_ladder": "technical", **vector.home}],
        "person": [{"ref": "person", "home": "home", **vector.person}],
        "device": records,
        "enrolment": enrolments,
    }
    if vector.numbers:
        document["override"] = [
            {"rule": rule, "person": "person", "numbers": vector.numbers} for rule in rules
        ]
    return document
