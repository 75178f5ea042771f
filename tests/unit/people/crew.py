"""A town with people at work: a day team with keys and delegations, a night patrol, an alarm centre."""

import json
from datetime import datetime, timedelta
from typing import Any

from gateway.contract import Changes
from gateway.model.alert import Alert
from gateway.model.frame import Transport
from tests.unit.pipeline.town import PENDANT, START, Town, document

DAY = tuple(f"staff-{n}" for n in range(1, 6))
NIGHT = ("staff-8", "staff-9")


def staff(ref: str, team: str, **more: Any) -> dict[str, Any]:
    return {"ref": ref, "tenant": "t", "teams": [team], **more}


def rotation(team: str, people: tuple[str, ...], at: str, until: str, **more: Any) -> dict[str, Any]:
    turn = {"turns": [list(people)], "starts": "2026-01-01", "at": at, "until": until}
    return {"id": f"{team}-{at}", "team": team, **turn, **more}


def crewed(**extra: Any) -> dict[str, Any]:
    """Return the parts of a registry in which five work by day, two by night, and the centre always."""
    parts: dict[str, Any] = {
        "tenant": [{"id": "t", "name": "Testköping", "failsafe": ["centre"]}],
        "staff": [staff(ref, "day") for ref in DAY] + [staff(ref, "night") for ref in NIGHT],
        "rotation": [
            rotation("day", DAY, "07:00", "22:30"),
            rotation("night", NIGHT, "22:30", "07:00"),
        ],
        "ladder": [
            {"id": "care", "tenant": "t", "steps": [{"to": ["day"], "at_night": ["night"]}]},
            {"id": "tech", "tenant": "t", "steps": [{"to": ["tech"]}]},
        ],
    }
    return parts | extra


class Crew(Town):
    """A town whose registry has people at work; 13:00 local when it begins."""

    def __init__(self, **extra: Any) -> None:
        super().__init__()
        self.enrol(**crewed(**extra))

    def enrol(self, **parts: Any) -> None:
        changes = self.registers(**parts)
        assert not changes.refusals, changes.refusals

    def registers(self, **parts: Any) -> Changes:
        return self.take(Transport.REGISTRY, "registry", document(**parts).to_json())

    def sos(self) -> str:
        (alert,) = self.send(PENDANT, "alarm.manual").alerts
        return alert

    def alert(self, name: str) -> Alert:
        return self.state.alerts[name]

    def tells(self, channel: str, what: Any, transport: Transport = Transport.PERSON) -> Changes:
        return self.take(transport, channel, json.dumps(what, default=_plain).encode())

    def reach(self, ref: str, *, reachable: bool, channel: str = "push", reason: str = "") -> Changes:
        told = {"channel": channel, "reachable": reachable, "reason": reason}
        return self.tells(f"staff/{ref}/reach", told, Transport.RECEIPT)

    def pause(self, ref: str, minutes: float = 30) -> Changes:
        return self.context(f"break-{ref}", kind="break", ref=ref, minutes=minutes)

    def context(self, name: str, *, minutes: float = 60, **what: Any) -> Changes:
        span = {"since": self.now, "until": self.now + timedelta(minutes=minutes)}
        return self.tells(f"context/{name}/set", {"id": name, **span, **what})

    def until_deadline(self, alert: str) -> Changes:
        deadline = self.alert(alert).deadline
        assert deadline is not None
        return self.later(seconds=(deadline - self.now).total_seconds())


def rung(changes: Changes) -> list[str]:
    """Return who is rung by these changes, each once, in order."""
    queued = [d.recipient for d in changes.deliveries.values() if d.state == "queued"]
    return list(dict.fromkeys(queued))


def actions(changes: Changes) -> list[str]:
    return [entry.action for entry in changes.entries]


def details(changes: Changes, action: str) -> list[str]:
    return [entry.detail for entry in changes.entries if entry.action == action]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value))


__all__ = ["DAY", "NIGHT", "START", "Crew", "actions", "at", "crewed", "details", "rotation", "rung", "staff"]
