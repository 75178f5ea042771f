"""Metrics: figures for Prometheus, ISA-18.2's among them; bounded labels, nothing personal."""

from collections import Counter as Tally
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.contract import Changes, Clock, Snapshot
from gateway.model.alert import Alert, AlertEntry, AlertState, Severity
from gateway.model.delivery import DeliveryState
from gateway.model.equipment import OrderState
from gateway.model.synthetic import SYNTHETIC
from gateway.pipeline.flood import CALM_UNDER, RESPONDER_MOST, WINDOW
from gateway.pipeline.incident import INCIDENTS
from gateway.service.auditor import Auditor, oldest_unsent
from gateway.service.board import Board
from gateway.service.circuit import CircuitState
from gateway.service.deadman import DeadMan
from gateway.service.engine import Engine
from gateway.service.intake import LaneIntake

STALE = timedelta(hours=24)
"""An alarm open for longer is stale (alert rules, section 2: ISA-18.2, fewer than five on any day)."""
MAX_RESPONDERS = 100
"""Responders with a label of their own; further ones are counted together as "other"."""
MAX_FOLLOWED = 20_000
"""Alerts whose times are still followed; the oldest are let go."""
SECONDS = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)
FSYNC = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5)
MEASURED = {"accepted": "accepted", "on_site": "on_site", "closed": "closed"}
"""Actions in an alert's history, and the steps whose time is measured by them."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Sources:
    """What the figures are read from."""

    engine: Engine
    intake: LaneIntake
    board: Board
    clock: Clock
    auditor: Auditor
    dead_man: DeadMan | None
    channels: Callable[[], dict[str, Any]] = dict
    taps: Callable[[], dict[str, Any]] = dict


class Metrics:
    """Counts what the engine commits; the rest is read when somebody asks. A registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._events = Counter("vaka_events", "Events believed", ["type"], registry=self.registry)
        self._frames = Counter("vaka_frames_quarantined", "Frames nobody could read", registry=self.registry)
        self._raised = Counter(
            "vaka_alerts_raised", "Alerts raised", ["severity", "type"], registry=self.registry
        )
        self._deliveries = Counter(
            "vaka_deliveries", "Deliveries by channel and proof", ["channel", "state"], registry=self.registry
        )
        self._outcomes = Counter("vaka_alerts_closed", "Alerts closed", ["outcome"], registry=self.registry)
        self._times = Histogram(
            "vaka_alert_seconds",
            "Time from raised to displayed, accepted, on site, closed",
            ["step", "severity"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.fsync = Histogram(
            "vaka_commit_seconds", "One batch and what it changed onto the disk, with fsync", buckets=FSYNC,
            registry=self.registry,
        )  # fmt: skip
        self._followed: OrderedDict[str, Alert] = OrderedDict()
        self._displayed: set[str] = set()
        self.load_of_responders = ResponderLoad()

    def serve(self, sources: Sources) -> None:
        """Read the figures of the moment from the running parts from now on."""
        self.registry.register(_Now(sources, self.load_of_responders))

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self.registry)

    def load(self, snapshot: Snapshot) -> None:
        """Follow the alerts that were open before a restart."""
        for alert in snapshot.alerts.values():
            self._follow(alert)

    def publish(self, changes: Changes, _cursor: int) -> None:
        """Count one commit."""
        for name, n in Tally(one.type for one in changes.events if one.home != SYNTHETIC).items():
            self._events.labels(name).inc(n)
        if changes.quarantine:
            self._frames.inc(len(changes.quarantine))
        for alert in changes.alerts.values():
            self._follow(alert)
        for entry in changes.entries:
            alert_of = self._followed.get(entry.alert)
            if alert_of is not None:
                self._count(entry, alert_of)
        self._count_deliveries(changes)

    def _follow(self, alert: Alert) -> None:
        if alert.tenant == SYNTHETIC:
            return
        self._followed[alert.id] = alert
        while len(self._followed) > MAX_FOLLOWED:
            gone, _ = self._followed.popitem(last=False)
            self._displayed.discard(gone)

    def _count(self, entry: AlertEntry, alert: Alert) -> None:
        severity = alert.severity.value
        if entry.action == "raised":
            self._raised.labels(severity, alert.type.value).inc()
        elif entry.action == "offered" and alert.severity is not Severity.INFO:
            self.load_of_responders.add(alert.ladder or alert.route.value, alert.id, entry.at)
        step = MEASURED.get(entry.action)
        if step is not None:
            self._times.labels(step, severity).observe(max(0.0, (entry.at - alert.raised_at).total_seconds()))
        if entry.action == "closed":
            self._outcomes.labels(str(alert.outcome or "none")).inc()
            self._followed.pop(alert.id, None)
            self._displayed.discard(alert.id)

    def _count_deliveries(self, changes: Changes) -> None:
        for one in changes.deliveries.values():
            alert = self._followed.get(one.alert)
            if alert is None:
                continue
            self._deliveries.labels(one.channel, one.state.value).inc()
            if one.state is DeliveryState.DISPLAYED and alert.id not in self._displayed and changes.now:
                self._displayed.add(alert.id)
                waited_s = (changes.now - alert.raised_at).total_seconds()
                self._times.labels("displayed", alert.severity.value).observe(max(0.0, waited_s))


class ResponderLoad:
    """New alerts that were put before each responder in the last ten minutes, and how long floods last."""

    def __init__(self) -> None:
        self._offers: dict[str, OrderedDict[str, datetime]] = {}
        self._flooded: set[str] = set()

    def add(self, responder: str, alert_id: str, at: datetime) -> None:
        """Count an offer; the same alert again is the same work."""
        if responder not in self._offers and len(self._offers) >= MAX_RESPONDERS:
            responder = "other"
        offers = self._offers.setdefault(responder, OrderedDict())
        offers.setdefault(alert_id, at)
        while len(offers) > MAX_FOLLOWED:
            offers.popitem(last=False)

    def now(self, at: datetime) -> Iterator[tuple[str, int, bool]]:
        """Yield each responder with the number of new alerts, and whether that is a flood."""
        for responder, offers in self._offers.items():
            while offers and next(iter(offers.values())) < at - WINDOW:
                offers.popitem(last=False)
            if len(offers) > RESPONDER_MOST:
                self._flooded.add(responder)
            elif len(offers) < CALM_UNDER:
                self._flooded.discard(responder)
            yield responder, len(offers), responder in self._flooded


class _Now(Collector):
    """The figures of the moment."""

    def __init__(self, sources: Sources, load: ResponderLoad) -> None:
        self._on = sources
        self._load = load

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read them, once an inquiry."""
        on = self._on
        yield _one("vaka_frames_in", "Frames taken since the start", on.intake.taken)
        yield _one("vaka_journal_waiting", "Frames that wait for the disk", on.intake.waiting)
        yield _one("vaka_engine_lag_frames", "Frames that wait, or are not committed yet", on.engine.lag)
        yield _one("vaka_outbox_age_seconds", "Age of the oldest unsent delivery", self._outbox_age_s())
        yield _one("vaka_self_findings", "What the auditor finds wrong now", len(on.auditor.findings))
        yield from self._dead_man()
        yield from self._channels()
        yield from self._taps()
        yield from self._alerts()
        yield from self._responders()
        yield from self._fleet()

    def _fleet(self) -> Iterator[GaugeMetricFamily]:
        """Yield how many devices are on line, low on battery or without their configuration, and commands."""
        board = self._on.board
        mine = [one for one in board.registry.devices.values() if one.tenant != SYNTHETIC]
        statuses = [status for one in mine if (status := board.statuses.get(one.id)) is not None]
        link = GaugeMetricFamily("vaka_devices", "Registered devices by their link", labels=["link"])
        offline = sum(one.offline for one in statuses)
        heard = sum(one.last_seen_at is not None and not one.offline for one in statuses)
        for name, n in (("online", heard), ("offline", offline), ("unknown", len(mine) - heard - offline)):
            link.add_metric([name], n)
        yield link
        low = sum(one.slots.get("battery") in {"battery.low", "battery.critical"} for one in statuses)
        yield _one("vaka_devices_battery_low", "Devices whose battery is low or critical", low)
        drifting = sum(one.drifts for one in board.equipment.twins.values())
        yield _one("vaka_devices_drifting", "Devices that do not have their configuration", drifting)
        orders = GaugeMetricFamily("vaka_commands", "Commands kept, by how far they came", labels=["state"])
        counted = Tally(one.state for one in board.equipment.orders.values())
        for state in OrderState:
            orders.add_metric([state.value], counted[state])
        yield orders

    def _outbox_age_s(self) -> float:
        oldest = oldest_unsent(self._on.engine)
        return 0.0 if oldest is None else max(0.0, (self._on.clock.now() - oldest).total_seconds())

    def _dead_man(self) -> Iterator[GaugeMetricFamily]:
        dead_man = self._on.dead_man
        if dead_man is not None:
            age = dead_man.age_s()
            yield _one(
                "vaka_dead_man_age_seconds", "Since the last whole round trip", -1 if age is None else age
            )
            yield _one("vaka_dead_man_missed", "Round trips missed in a row", dead_man.missed_in_a_row)

    def _channels(self) -> Iterator[GaugeMetricFamily]:
        """Yield for each channel whether it is used, and what waits there; the plugins name them."""
        open_ = GaugeMetricFamily("vaka_channel_up", "1 while a channel is used", labels=["channel"])
        waiting = GaugeMetricFamily("vaka_channel_waiting", "Deliveries that wait", labels=["channel"])
        for name, way in self._on.channels().items():
            open_.add_metric([name], float(way["circuit"] == CircuitState.CLOSED.value))
            waiting.add_metric([name], way["waiting"])
        yield from (open_, waiting)

    def _taps(self) -> Iterator[GaugeMetricFamily]:
        """Yield for each tap how far it is behind; the configuration names them."""
        up = GaugeMetricFamily("vaka_tap_up", "1 while a tap's receiver takes pages", labels=["tap"])
        behind = GaugeMetricFamily("vaka_tap_behind_frames", "Frames not yet carried out", labels=["tap"])
        letters = GaugeMetricFamily("vaka_tap_dead_letters", "Items refused for good", labels=["tap"])
        for name, tap in self._on.taps().items():
            up.add_metric([name], float(not tap["fault"]))
            behind.add_metric([name], tap["behind_frames"])
            letters.add_metric([name], tap["dead_letters"])
        yield from (up, behind, letters)

    def _alerts(self) -> Iterator[GaugeMetricFamily]:
        alerts = [one for one in self._on.board.open_alerts() if one.tenant != SYNTHETIC]
        family = GaugeMetricFamily(
            "vaka_alerts_open", "Open alerts", labels=["severity", "state"]
        )  # labels from closed sets: their number is bounded
        for severity in Severity:
            for state in AlertState:
                n = sum(one.severity is severity and one.state is state for one in alerts)
                if state is not AlertState.CLOSED:
                    family.add_metric([severity.value, state.value], n)
        yield family
        before = self._on.clock.now() - STALE
        yield _one(
            "vaka_alerts_stale", "Open for more than 24 h", sum(one.raised_at < before for one in alerts)
        )
        incidents = [one for one in alerts if one.rule in INCIDENTS]
        yield _one("vaka_incidents_open", "Incidents nobody has closed", len(incidents))
        yield _one(
            "vaka_alerts_collapsed",
            "Alerts an incident speaks for",
            sum(bool(one.incident) for one in alerts),
        )
        gaps = sum(one.rule in {"coverage_now", "coverage_gap"} and one.active for one in alerts)
        yield _one("vaka_coverage_gaps", "Coverage gaps found", gaps)

    def _responders(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "vaka_alerts_per_responder", "New alerts before a responder in 10 min", labels=["responder"]
        )
        floods = 0
        responders = list(self._load.now(self._on.clock.now()))
        for responder, n, flooded in responders:
            family.add_metric([responder], n)
            floods += flooded
        yield family
        share = floods / len(responders) if responders else 0.0
        yield _one("vaka_flood_share", "Part of the responders that are in a flood now", share)


def _one(name: str, said: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, said, value=value)
