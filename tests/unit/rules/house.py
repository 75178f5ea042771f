"""A small registry and the real walk in virtual time: what a rule's test says, hears and looks at."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from gateway.contract import Rule, Snapshot
from gateway.model.alert import Alert, AlertEntry
from gateway.model.event import Event
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Reading
from gateway.model.registry import RegistryDocument
from gateway.model.vocabulary import VOCABULARY, ClockQuality, DeviceKind
from gateway.pipeline.decode import NOTHING, Decoded
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from rules import RULES

ADAPTER = "test"
NOON = datetime(2026, 1, 14, 11, 0, tzinfo=UTC)
"""A Wednesday, 12:00 in Stockholm."""
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
QUIET: dict[str, Any] = {"supervised": False}
"""An enrolment that only its own rules watch."""


def document(devices: dict[str, dict[str, Any]], **home: Any) -> RegistryDocument:
    """One home and one person; each device gets kind and, under its own keys, its enrolment."""
    flags = home.pop("flags", ())
    zone = home.pop("time_zone", "Europe/Stockholm")
    records, enrolments = [], []
    for name, given in devices.items():
        told = {"home": "home", "person": "person", "since": LONG_AGO, **given}
        record = {
            "id": name,
            "tenant": "town",
            "adapter": ADAPTER,
            "native_id": name,
            "kind": told.pop("kind"),
        }
        if via := told.pop("via", None):
            record["via"] = via
        records.append(record)
        enrolments.append({"device": name, **told})
    ladder = {"tenant": "town", "steps": [{"to": ["team"]}, {"to": ["team"]}], "repeat_s": 7200}
    return RegistryDocument.of(
        {
            "tenant": [{"id": "town", "name": "Town", "time_zone": zone}],
            "unit": [{"id": "unit", "tenant": "town", "name": "Unit"}],
            "team": [{"id": "team", "unit": "unit", "name": "Team"}],
            "ladder": [{"id": "care", **ladder}, {"id": "technical", **ladder}],
            "home": [
                {
                    "id": "home",
                    "tenant": "town",
                    "unit": "unit",
                    "care_ladder": "care",
                    "technical_ladder": "technical",
                    **home,
                }
            ],
            "person": [{"ref": "person", "home": "home", "flags": flags}],
            "device": records,
            "enrolment": enrolments,
        }
    )


class House:
    """Speaks as the devices, lets time pass, and remembers what was committed as a store would."""

    def __init__(
        self, registry: RegistryDocument, now: datetime = NOON, rules: tuple[Rule, ...] = RULES
    ) -> None:
        self.walk = Walk((), rules, ("page",))
        self.state = State()
        self.now = now
        self.position = 0
        self.kept = Snapshot(0, registry, {}, {}, {}, {}, {}, {})
        self.entries: list[AlertEntry] = []
        self.said: list[str] = []
        self.heard: list[Event] = []
        self.enrol(registry)

    # --- inputs ---

    def enrol(self, registry: RegistryDocument) -> None:
        self.step(Transport.REGISTRY, payload=registry.to_json())

    def says(
        self,
        device: str,
        event_type: str,
        *,
        ago_s: float = 0,
        clock: ClockQuality = ClockQuality.SYNCED,
        happened: bool = True,
        **values: Any,
    ) -> None:
        """The device tells something that happened `ago_s` before it is heard."""
        reading = Reading(
            native_id=device,
            kind=DeviceKind.UNKNOWN,
            type=event_type,
            values=msgspec.convert(values, VOCABULARY[event_type].values),
            occurred_at=self.now - timedelta(seconds=ago_s),
            clock=clock,
            key=f"{self.position}",
            happened=happened,
        )
        self.step(Transport.MQTT, decoded=Decoded(ADAPTER, (reading,)))

    def garbles(self, device: str, clause: str = "VDI-1") -> None:
        """The device sends what cannot be read."""
        self.step(Transport.MQTT, decoded=Decoded(ADAPTER, (), "not JSON", clause, device))

    def answers(self, alert: Alert, action: str, **words: Any) -> None:
        payload = msgspec.json.encode({"actor": "nurse", **words})
        self.step(Transport.PERSON, channel=f"alert/{alert.id}/{action}", payload=payload)

    def closes(self, alert: Alert) -> None:
        self.answers(alert, "close", outcome="real", seen=self.state.alerts[alert.id].count)

    def after(self, seconds: float) -> None:
        """Let time pass; every timer fires when it is due."""
        self.until(self.now + timedelta(seconds=seconds))

    def until(self, moment: datetime) -> None:
        while (due := self.state.next_due()) is not None and due <= moment:
            self.now = max(self.now, due)
            self.step(Transport.CLOCK)
        self.now = moment

    def stands_still_until(self, moment: datetime) -> None:
        """The gateway is down: nothing fires until it is back, and then everything is overdue."""
        self.now = moment
        self.restart()
        self.step(Transport.CLOCK)

    def step(
        self, transport: Transport, *, channel: str = "", payload: bytes = b"", decoded: Decoded = NOTHING
    ) -> None:
        self.position += 1
        frame = Frame(transport, channel, payload, self.now, position=self.position)
        self.walk.step(self.state, frame, decoded, frozenset(), self.now)
        self._commit()

    def restart(self) -> None:
        """Build the state again from what was committed."""
        self.state = State(self.kept)

    # --- what became of it ---

    def open(self, text: str = "") -> list[Alert]:
        """The open alerts; what management hears of long open ones (S11) is no rule's matter."""
        mine = [alert for alert in self.state.alerts.values() if alert.rule != "standing_alarms"]
        return [alert for alert in mine if text in ("", alert.text)]

    def one(self, text: str) -> Alert:
        (alert,) = self.open(text)
        return alert

    def actions(self, alert: Alert) -> list[str]:
        return [
            entry.action
            for entry in self.entries
            if entry.alert == alert.id and entry.action not in {"offered", "escalated"}
        ]

    def timers(self, owner: str) -> list[str]:
        return [timer.name for timer in self.state.timers() if timer.owner == owner]

    def _commit(self) -> None:
        changes = self.state.take_changes()
        self.entries += changes.entries
        self.heard += changes.events
        self.said += [trace.reason for trace in changes.traces if trace.step == "decide"]
        kept = self.kept
        if changes.registry is not None:
            kept.registry = changes.registry
        kept.statuses |= {name: stored(status) for name, status in changes.statuses.items()}
        for name, facts in changes.memories.items():
            kept.memories.pop(name, None) if facts is None else kept.memories.update({name: stored(facts)})
        for name, timer in changes.timers.items():
            kept.timers.pop(name, None) if timer is None else kept.timers.update({name: stored(timer)})
        for name, alert in changes.alerts.items():
            kept.alerts.pop(name, None) if alert.deadline is None else kept.alerts.update(
                {name: stored(alert)}
            )


def stored(value: Any) -> Any:
    """Return what a store gives back: through JSON and into its type again."""
    return msgspec.json.decode(msgspec.json.encode(value), type=type(value))
