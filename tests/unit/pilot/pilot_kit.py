"""A state file written by hand: devices, what they said, and what people did, by the hour."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from gateway.contract import Changes
from gateway.model.alert import Alert, AlertEntry, AlertState, AlertType, Outcome, Severity
from gateway.model.delivery import Delivery
from gateway.model.event import Event, event_id
from gateway.model.frame import Frame, Transport
from gateway.model.registry import Registry, RegistryDocument
from gateway.model.vocabulary import VOCABULARY, ClockQuality, DeviceKind
from gateway.pilot.figures import Figures
from gateway.pilot.run import figures_of
from gateway.stores.sqlite_store import SqliteStore

START = datetime(2026, 1, 4, 23, 0, tzinfo=UTC)
"""Midnight between Sunday and Monday in Sweden: hour 0 of the pilot."""
BEFORE = START - timedelta(days=30)


def hour(hours: float) -> datetime:
    return START + timedelta(hours=hours)


class Notebook:
    """Collects what happened in any order, and writes it in the order of time through the real store."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {
            "tenant": [{"id": "t", "name": "Testköping"}],
            "unit": [{"id": "u", "tenant": "t", "name": "Unit"}],
            "team": [{"id": name, "unit": "u", "name": name} for name in ("team-day", "team-night")],
            "ladder": [{"id": "care", "tenant": "t", "steps": [{"to": ["team-day"]}]}],
            "home": [],
            "person": [],
            "device": [],
            "enrolment": [],
            "staff": [{"ref": "anna", "tenant": "t", "teams": ["team-day"], "credentials": ["tag-anna"]}],
            "pilot": [],
        }
        self._made: list[tuple[datetime, int, Any]] = []
        self._alerts = 0

    def home(self, name: str, person: str, sex: str = "") -> None:
        self.tables["home"].append(
            {"id": name, "tenant": "t", "unit": "u", "care_ladder": "care", "technical_ladder": "care"}
        )
        self.tables["person"].append({"ref": person, "home": name, "sex": sex})

    def device(self, name: str, kind: str, model: str, home: str, person: str, **meaning: Any) -> None:
        self.tables["device"].append(
            {"id": name, "tenant": "t", "adapter": "vaka", "native_id": name, "kind": kind, "model": model}
        )
        self.tables["enrolment"].append(
            {"device": name, "home": home, "person": person, "since": BEFORE.isoformat(), **meaning}
        )

    def pilot(self, **record: Any) -> None:
        self.tables["pilot"].append(
            {
                "id": "p",
                "tenant": "t",
                "name": "Two dispensers",
                "first_day": "2026-01-05",
                "last_day": "2026-01-06",
                **record,
            }
        )

    @property
    def document(self) -> RegistryDocument:
        return RegistryDocument.from_json(msgspec.json.encode(self.tables))

    def said(
        self,
        device: str,
        event_type: str,
        at_hour: float,
        *,
        late_s: float = 1.0,
        clock: str = "synced",
        **values: Any,
    ) -> None:
        """The device says it at that hour; it is received `late_s` later, a heartbeat at once."""
        late_s = 0.0 if event_type == "heartbeat" else late_s
        received = hour(at_hour) + timedelta(seconds=late_s)
        self._made.append((received, len(self._made), ("event", device, event_type, late_s, clock, values)))

    def unreadable(self, device: str, at_hour: float) -> None:
        self._made.append((hour(at_hour), len(self._made), ("quarantine", device)))

    def alert(  # noqa: PLR0913 - one course of events in one line
        self,
        device: str,
        rule: str,
        severity: str,
        at_hour: float,
        *,
        to: str,
        outcome: str | None = None,
        kind: str = "SP",
        turns: Sequence[float] = (),
        **steps: float,
    ) -> str:
        """An alert that comes and goes at `turns`; `steps`: displayed_s, accepted_s, on_site_s, closed_s."""
        self._alerts += 1
        name = f"alert{self._alerts}"
        alert = (name, device, rule, severity, kind, to)
        self._made.append((hour(at_hour), len(self._made), ("alert", alert)))
        for at_s in turns:
            self._made.append(
                (hour(at_hour) + timedelta(seconds=at_s), len(self._made), ("turn", alert, outcome))
            )
        for step, after_s in steps.items():
            moment = hour(at_hour) + timedelta(seconds=after_s)
            self._made.append((moment, len(self._made), (step.removesuffix("_s"), alert, outcome)))
        return name

    def write(self, folder: Path, *, now_hour: float = 60, first: int = 1) -> int:
        """Write everything made so far into the folder's state file; returns the last position."""
        document = self.document
        Registry(document)
        store = SqliteStore(folder / "state.db")
        writer = _Writer(document, first)
        for moment, _, what in sorted(self._made, key=lambda made: made[:2]):
            writer.take(moment, what)
        writer.take(hour(now_hour), ("clock",))
        writer.changes.registry, writer.changes.now = document, hour(now_hour)
        store.commit(writer.changes, writer.position)
        store.close()
        self._made.clear()
        return writer.position

    def figures(self, folder: Path, now_hour: float = 60) -> Figures:
        self.write(folder, now_hour=now_hour)
        return figures_of(folder, "p")


class _Writer:
    def __init__(self, document: RegistryDocument, first: int) -> None:
        self.position = first - 1
        self.changes = Changes()
        self._devices = {one.id: one for one in document.device}
        self._enrolled = {one.device: one for one in document.enrolment}
        self._alerts: dict[str, Alert] = {}

    def take(self, moment: datetime, what: Any) -> None:
        self.position += 1
        kind, *rest = what
        getattr(self, f"_{kind}", self._step)(moment, kind, *rest)

    def _frame(self, moment: datetime, transport: Transport, channel: str = "x") -> Frame:
        frame = Frame(transport, channel, b"{}", moment, position=self.position)
        self.changes.frames.append(frame)
        return frame

    def _clock(self, moment: datetime, _: str) -> None:
        self._frame(moment, Transport.CLOCK)

    def _event(self, moment: datetime, _: str, *said: Any) -> None:
        device, event_type, late_s, clock, values = said
        self._frame(moment, Transport.MQTT)
        occurred = moment - timedelta(seconds=late_s)
        event = Event(
            id=event_id(device, str(self.position), occurred),
            type=event_type,
            device=device,
            kind=DeviceKind(self._devices[device].kind),
            home=self._enrolled[device].home,
            person=self._enrolled[device].person,
            occurred_at=occurred,
            received_at=moment,
            processed_at=moment,
            clock=ClockQuality(clock),
            late_s=late_s,
            frame=self.position,
            values=msgspec.convert(values, VOCABULARY[event_type].values),
        )
        self.changes.events.append(event)

    def _quarantine(self, moment: datetime, _: str, device: str) -> None:
        self.changes.quarantine.append((self._frame(moment, Transport.MQTT), device, "not JSON", ""))

    def _alert(self, moment: datetime, _: str, told: Any) -> None:
        name, device, rule, severity, kind, to = told
        self._frame(moment, Transport.CLOCK)
        alert = Alert(
            id=name,
            rule=rule,
            subject=device,
            severity=Severity(severity),
            type=AlertType(kind),
            text=rule,
            reason="by hand",
            tenant="t",
            home=self._enrolled[device].home,
            device=device,
            frame=self.position,
            occurred_at=moment,
            raised_at=moment,
            ladder="care",
            deadline=moment,
            accept_within_s=60,
        )
        self._keep(moment, alert, "raised")
        delivery = Delivery(
            id=f"to-{name}",
            alert=name,
            recipient=to,
            channel="page",
            step=0,
            round=1,
            queued_at=moment,
            deadline=moment,
        )
        self.changes.deliveries[delivery.id] = delivery

    def _displayed(self, moment: datetime, _: str, told: Any, __: object) -> None:
        self._frame(moment, Transport.RECEIPT, f"delivery/displayed/to-{told[0]}")

    def _turn(self, moment: datetime, _: str, told: Any, __: object) -> None:
        self._frame(moment, Transport.CLOCK)
        self._keep(moment, self._alerts[told[0]], "cleared")

    def _step(self, moment: datetime, kind: str, told: Any, outcome: str | None) -> None:
        self._frame(moment, Transport.PERSON)
        alert = self._alerts[told[0]]
        state = AlertState(kind)
        closed = state is AlertState.CLOSED
        alert = msgspec.structs.replace(
            alert, state=state, outcome=Outcome(outcome) if closed and outcome else None
        )
        self._keep(moment, alert, kind)

    def _keep(self, moment: datetime, alert: Alert, action: str) -> None:
        before = self._alerts.get(alert.id)
        alert = msgspec.structs.replace(alert, version=before.version + 1 if before else 1)
        self._alerts[alert.id] = self.changes.alerts[alert.id] = alert
        entry = AlertEntry(
            alert=alert.id,
            version=alert.version,
            at=moment,
            action=action,
            actor="anna",
            frame=self.position,
        )
        self.changes.entries.append(entry)
