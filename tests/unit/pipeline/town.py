"""A small made-up town for tests of the pipeline: two homes, a few devices, virtual time."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.contract import Changes
from gateway.model.frame import Frame, Transport
from gateway.model.registry import RegistryDocument
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LOCK, PENDANT, BRIDGE = "t/lock-1", "t/sos-1", "bridge-1"


def document(**extra: Any) -> RegistryDocument:
    def device(name: str, kind: str, adapter: str = "vaka", native: str = "") -> dict[str, Any]:
        return {"id": name, "tenant": "t", "adapter": adapter, "native_id": native or name, "kind": kind}

    parts: dict[str, Any] = {
        "tenant": [{"id": "t", "name": "Testköping"}],
        "unit": [{"id": "u", "tenant": "t", "name": "Unit"}],
        "team": [{"id": name, "unit": "u", "name": name} for name in ("day", "night", "centre", "tech")],
        "ladder": [
            {
                "id": "care",
                "tenant": "t",
                "steps": [{"to": ["day"]}, {"to": ["night"], "within_s": 40}, {"to": ["centre"]}],
                "repeat_s": 120,
            },
            {"id": "tech", "tenant": "t", "steps": [{"to": ["tech"]}]},
        ],
        "home": [{"id": "h1", "tenant": "t", "unit": "u", "care_ladder": "care", "technical_ladder": "tech"}],
        "person": [{"ref": "p1", "home": "h1"}],
        "device": [
            device(LOCK, "lock"),
            device(PENDANT, "social_alarm"),
            device("nuki-1", "lock", "nuki", "AABBCC99"),
            device("gate", "door_contact", "zigbee2mqtt", "backgate"),
        ],
        "enrolment": [
            {"device": name, "home": "h1", "person": "p1", "since": START, "heartbeat_s": 86400}
            for name in (LOCK, PENDANT, "nuki-1", "gate")
        ],
    }
    return RegistryDocument.of(parts | extra)


class Town:
    """Walks frames as the engine does, and remembers what the log would hold."""

    def __init__(self, state: State | None = None, channels: tuple[str, ...] = ("page",)) -> None:
        self.walk = Walk(load_adapters(), load_rules(), channels)
        self.state = state or State()
        self.now = START
        self.position = 0
        self.log: set[str] = set()
        if state is None:
            self.take(Transport.REGISTRY, "registry", document().to_json())

    def take(self, transport: Transport, channel: str, payload: bytes, **flags: Any) -> Changes:
        self.position += 1
        frame = Frame(transport, channel, payload, self.now, position=self.position, **flags)
        decoded = self.walk.read(frame)
        known = frozenset(set(self.walk.doubtful(self.state, [decoded])) & self.log)
        self.walk.step(self.state, frame, decoded, known, self.now)
        changes = self.state.take_changes()
        self.log.update(event.id for event in changes.events)
        return changes

    def send(
        self, device: str, word: str, *, id_: str = "", at: datetime | None = None, **data: Any
    ) -> Changes:
        event = {
            "specversion": "1.0",
            "id": id_ or f"{device}-{self.position}",
            "source": f"vaka:{device}",
            "type": f"vaka.{word}.v1",
            "time": (at or self.now).isoformat(),
            "clockquality": "synced",
            "data": data,
        }
        return self.take(Transport.MQTT, f"vaka/1/{device}/event", json.dumps(event).encode())

    def later(self, **delta: float) -> Changes:
        self.now += timedelta(**delta)
        return self.take(Transport.CLOCK, "tick", b"")

    def answer(self, alert: str, action: str, actor: str = "anna", **more: Any) -> Changes:
        """Answer as somebody who has seen the alert as it stands, unless `seen` says otherwise."""
        if action == "close" and alert in self.state.alerts:
            more = {"seen": self.state.alerts[alert].count} | more
        return self.take(
            Transport.PERSON,
            f"alert/{alert}/{action}",
            json.dumps({"actor": actor, **more}).encode(),
            source=actor,
        )
