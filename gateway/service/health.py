"""Health: what the house says of itself, part by part, in words that tell what to do next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from gateway.contract import Clock
from gateway.model.alert import Alert, AlertState, Severity
from gateway.model.synthetic import BUTTON, SYNTHETIC
from gateway.pipeline.incident import INCIDENTS
from gateway.pipeline.policy import policy_of
from gateway.service.auditor import LOOK_EVERY_S, OUTBOX_OLD, Auditor, oldest_unsent
from gateway.service.board import Board
from gateway.service.circuit import CircuitState
from gateway.service.deadman import DeadMan, Stage
from gateway.service.engine import Engine
from gateway.service.intake import LaneIntake

WAITING_FRAMES = 10_000
LOST_AFTER = timedelta(seconds=60)
"""A broker that is away longer is no hiccup."""
LOOKS_MISSED = 6
"""An auditor that missed so many of its looks is not at work."""


class Level(StrEnum):
    """How a part is; always told in words as well."""

    OK = "ok"
    OFF = "off"
    WARN = "warn"
    FAIL = "fail"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part: its name, how it is, which sentence says so with which values.

    `part` and `says` are keys of the texts `health.<part>` and `health.<part>_<says>`; what to do next
    is `health.<part>_<says>_next` where there is anything to do.
    """

    part: str
    level: Level
    says: str
    values: dict[str, Any] = {}


@dataclass(frozen=True)
class Examined:
    """The parts that are asked; `outside` tells how the last call to the outside watcher went."""

    engine: Engine
    intake: LaneIntake
    board: Board
    clock: Clock
    ways_in: Callable[[], dict[str, Any]]
    auditor: Auditor
    dead_man: DeadMan | None
    outside: Callable[[], str | None]
    channels: Callable[[], dict[str, Any]]
    taps: Callable[[], dict[str, Any]] = dict


class Health:
    """Asks the parts; a report is cheap enough for every second."""

    def __init__(self, examined: Examined) -> None:
        self._on = examined

    def report(self) -> dict[str, Any]:
        """Return the state of every part; `status` is ok or failing, with the reasons."""
        on = self._on
        ways_in = on.ways_in()
        reasons = [on.engine.failing] if on.engine.failing else []
        reasons += [reason for name, way in ways_in.items() if (reason := self._trouble(name, way))]
        reasons += [
            one.reason for one in on.auditor.findings if one.kind not in {"store_failing", "way_in_lost"}
        ]
        if on.intake.waiting > WAITING_FRAMES:
            reasons.append(f"{on.intake.waiting} frames wait for the engine")
        forgotten = sum(one.kind == "unwatched_alert" for one in on.auditor.findings)
        return {
            "status": "failing" if reasons else "ok",
            "reasons": reasons,
            "intake": {"waiting": on.intake.waiting, "taken": on.intake.taken},
            "engine": {"cursor": on.engine.cursor},
            "alerts": {"open": len(self._alerts()), "forgotten": forgotten},
            "devices": {
                "enrolled": len(on.board.statuses.keys() - {BUTTON}),
                "discovered": len(on.board.discovered),
            },
            "ways_in": ways_in,
            "channels": on.channels(),
            "taps": on.taps(),
            "round_trip": self.round_trip(),
            "parts": [msgspec.to_builtins(part) for part in self.parts()],
        }

    def round_trip(self) -> dict[str, Any] | None:
        """Return the synthetic alarm's last round trip with its stages in seconds; None when it is off."""
        dead_man = self._on.dead_man
        if dead_man is None:
            return None
        last = dead_man.trips[-1] if dead_man.trips else None
        return {
            "every_s": dead_man.every_s,
            "missed_in_a_row": dead_man.missed_in_a_row,
            "age_s": dead_man.age_s(),
            "began_at": last.began_at.isoformat() if last else None,
            "missed": last.missed if last else "",
            "stages": {stage.value: round(after, 4) for stage, after in last.stages.items()} if last else {},
        }

    def parts(self) -> Iterator[Part]:
        """Yield every part as the health page shows it."""
        yield self._engine()
        yield self._auditor()
        yield self._outbox()
        yield from self._channels()
        yield from self._ways()
        yield from self._taps()
        yield self._dead_man()
        yield self._outside()
        yield self._chain_ends()
        yield self._incidents()

    def _trouble(self, name: str, way: dict[str, Any]) -> str:
        """Say what is wrong with a way in: a broker that stays lost, or that grants not every filter."""
        if "lost_since" not in way:
            return ""
        lost_since = way["lost_since"]
        if lost_since is not None and self._on.clock.now() - lost_since > LOST_AFTER:
            since = lost_since.isoformat(timespec="seconds")
            return f"{name}: lost since {since}: {way.get('trouble') or 'no answer'}"
        return f"{name}: refuses {', '.join(way['refused'])}" if way.get("refused") else ""

    def _alerts(self) -> list[Alert]:
        return [alert for alert in self._on.board.open_alerts() if alert.tenant != SYNTHETIC]

    def _engine(self) -> Part:
        engine, waiting = self._on.engine, self._on.intake.waiting
        if engine.failing:
            return Part(part="engine", level=Level.FAIL, says="failing", values={"reason": engine.failing})
        if waiting > WAITING_FRAMES:
            return Part(part="engine", level=Level.FAIL, says="behind", values={"n": waiting})
        return Part(part="engine", level=Level.OK, says="ok", values={"n": self._on.intake.taken})

    def _auditor(self) -> Part:
        auditor = self._on.auditor
        watched = ("unwatched_alert", "auditor_fault", "timer_overdue")
        found = [one.reason for one in auditor.findings if one.kind in watched]
        if found:
            return Part(part="auditor", level=Level.FAIL, says="found", values={"reason": "; ".join(found)})
        if auditor.silent_s() > LOOK_EVERY_S * LOOKS_MISSED:
            return Part(part="auditor", level=Level.FAIL, says="silent")
        if auditor.looked_at is None:
            return Part(part="auditor", level=Level.WARN, says="starting")
        n = len(self._alerts())
        return Part(part="auditor", level=Level.OK, says="ok", values={"n": n})

    def _outbox(self) -> Part:
        now, oldest = self._on.clock.now(), oldest_unsent(self._on.engine)
        age_s = 0 if oldest is None else max(0, round((now - oldest).total_seconds()))
        late = age_s > OUTBOX_OLD.total_seconds()
        level = Level.FAIL if late else Level.OK
        return Part(part="outbox", level=level, says="old" if late else "ok", values={"seconds": age_s})

    def _channels(self) -> Iterator[Part]:
        """A channel at rest is no failure of the gateway: alerts go by the others, and High ones try it."""
        for name, way in self._on.channels().items():
            rests = way["circuit"] != CircuitState.CLOSED
            values = {"name": name, "n": way["waiting"], "reason": way["reason"]}
            level = Level.WARN if rests else Level.OK
            yield Part(part="channel", level=level, says="rests" if rests else "ok", values=values)

    def _ways(self) -> Iterator[Part]:
        for name, way in self._on.ways_in().items():
            if trouble := self._trouble(name, way):
                lost = way.get("lost_since") is not None
                yield Part(
                    part="way",
                    level=Level.FAIL if lost else Level.WARN,
                    says="lost" if lost else "refused",
                    values={"name": name, "reason": trouble.partition(": ")[2]},
                )
            else:
                yield Part(part="way", level=Level.OK, says="ok", values={"name": name})

    def _taps(self) -> Iterator[Part]:
        """A receiver outside that is away is no failure of the gateway: no alert waits for it."""
        for name, tap in self._on.taps().items():
            values = {"name": name, "n": tap["behind_frames"], "reason": tap["fault"]}
            says = "late" if tap["late"] else "waits" if tap["fault"] else "ok"
            if says == "ok" and tap["dead_letters"]:
                says, values["n"] = "letters", tap["dead_letters"]
            yield Part(part="tap", level=Level.OK if says == "ok" else Level.WARN, says=says, values=values)

    def _dead_man(self) -> Part:
        dead_man = self._on.dead_man
        if dead_man is None:
            return Part(part="round_trip", level=Level.OFF, says="off")
        if not dead_man.trips:
            return Part(part="round_trip", level=Level.WARN, says="first")
        last = dead_man.trips[-1]
        values: dict[str, Any] = {"n": dead_man.missed_in_a_row, "reason": last.missed}
        if dead_man.missed_in_a_row:
            return Part(
                part="round_trip",
                level=Level.FAIL if dead_man.dead else Level.WARN,
                says="dead" if dead_man.dead else "missed",
                values=values,
            )
        took_ms = round(last.stages[Stage.CLOSED] * 1000)
        age_s = round(dead_man.age_s() or 0)
        return Part(part="round_trip", level=Level.OK, says="ok", values={"ms": took_ms, "seconds": age_s})

    def _outside(self) -> Part:
        said = self._on.outside()
        if said is None:
            return Part(part="outside", level=Level.OFF, says="off")
        if said:
            return Part(part="outside", level=Level.WARN, says="failing", values={"reason": said})
        return Part(part="outside", level=Level.OK, says="ok")

    def _chain_ends(self) -> Part:
        """S8: alerts that have been through their whole policy and that nobody has taken yet."""
        now = self._on.clock.now()
        n = sum(ended(alert, self._on.board, now) for alert in self._alerts())
        level, says = (Level.FAIL, "unanswered") if n else (Level.OK, "ok")
        return Part(part="chain_end", level=level, says=says, values={"n": n})

    def _incidents(self) -> Part:
        found = [one for one in self._alerts() if one.rule in INCIDENTS]
        hidden = sum(one.count for one in found)
        level = Level.WARN if found else Level.OK
        says = "open" if found else "ok"
        return Part(part="incidents", level=level, says=says, values={"n": len(found), "hidden": hidden})


def ended(alert: Alert, board: Board, now: datetime) -> bool:
    """Tell whether a High alert has come to the end of its policy and is still nobody's (S8): it rings on."""
    if alert.severity is not Severity.HIGH or alert.state is not AlertState.OFFERED:
        return False
    last = len(policy_of(board.registry, alert).steps) - 1
    waited = now - alert.raised_at
    return alert.step >= last and waited > timedelta(seconds=alert.accept_within_s)
