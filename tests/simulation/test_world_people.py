"""People at work in a simulated municipality, before the gateway's core: who acts, when, how it ends."""

import itertools
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from gateway.contract import Changes
from gateway.model.alert import Alert, AlertEntry, AlertType, Outcome, Severity
from gateway.model.delivery import Delivery
from gateway.model.frame import Frame, Transport
from gateway.model.people import ContextKind
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules, urgency
from simulators.faults.straight import Straight
from simulators.house.fleet import Fleet
from simulators.house.keep import Digest, Seen
from simulators.house.player import Player
from simulators.house.port import Look, Setting
from simulators.staff import credential_of
from simulators.world.make import Plan, World, make_world
from simulators.world.roster import Roster
from simulators.world.truth import Happening

ZONE = ZoneInfo("Europe/Stockholm")
START = datetime(2026, 11, 23, 7, 30, tzinfo=ZONE).astimezone(UTC)
HOURS = 5.0
ADAPTERS, RULES = load_adapters(), load_rules()


class Observed:
    """A world played against the core, with everything that people heard and said."""

    def __init__(self, homes: int, hours: float, seed: int = 1) -> None:
        self.world = make_world(Plan(homes=homes), seed, START, secret=False)
        self.rung: set[tuple[str, str]] = set()
        self.entries: list[AlertEntry] = []
        self.alerts: dict[str, Alert] = {}
        self.refusals: list[str] = []
        self.said: list[Frame] = []
        self.unlocked: list[tuple[datetime, str, str]] = []
        self.keep = Digest()
        self._provoke(self.world)
        setting = Setting(
            Walk(ADAPTERS, RULES, ("page", "webpush")), urgency(ADAPTERS), self.world.document, START, self
        )
        self.gateway = Fleet(setting, self.keep)
        self.gateway.committed = self._committed
        Player(self.world.stage, Straight(), self.gateway, self).play(START + timedelta(hours=hours))
        self.gateway.close()

    def watch(self, look: Look) -> None:
        self.world.crew.watch(look)

    def ring(self, delivery: Delivery, alert: Alert, now: datetime) -> str:
        self.rung.add((delivery.recipient, alert.id))
        return self.world.crew.ring(delivery, alert, now)

    def next_at(self) -> datetime | None:
        return self.world.crew.next_at()

    def advance(self, now: datetime) -> Sequence[Frame]:
        said = self.world.crew.advance(now)
        self.said += said
        return said

    def of(self, action: str) -> list[AlertEntry]:
        return [entry for entry in self.entries if entry.action == action]

    def _provoke(self, world: World) -> None:
        """One real call for help, one by mistake, and a lock that jams, at nine in the morning."""
        at = START + timedelta(hours=1.5)
        real, mistaken = world.find("social_alarm:1")[0], world.find("social_alarm:2")[0]
        unwell = Happening(
            at, at + timedelta(hours=6), "unwell", Outcome.REAL, ("social_alarm",), hospital=True
        )
        world.truth.note(real.profile.home, unwell)
        for device, action in ((real, "press"), (mistaken, "press"), (world.find("lock:3")[0], "jam")):
            world.stage.plan(device.id, at, action)
        self.real, self.mistaken = real, mistaken

    def _committed(self, changes: Changes, _cursor: int) -> None:
        self.entries += changes.entries
        self.alerts |= changes.alerts
        self.refusals += changes.refusals.values()
        self.unlocked += [
            (event.occurred_at, event.home, str(getattr(event.values, "credential", None)))
            for event in changes.events
            if event.type == "lock.unlocked"
        ]


@pytest.fixture(scope="module")
def day() -> Observed:
    return Observed(20, HOURS)


def test_only_who_was_rung_answers(day: Observed) -> None:
    acts = {"accepted", "declined", "on_site", "closed"}
    answers = [e for e in day.entries if e.action in acts and e.actor != "vaka"]
    assert len(answers) > 10
    rung = day.rung
    by_sign = {"on_site"}  # a lock that opened by their credential says so too
    assert all((e.actor, e.alert) in rung or e.action in by_sign for e in answers)


def test_nothing_that_people_say_is_refused_but_what_came_too_late(day: Observed) -> None:
    assert all("closed already" in reason or "taken by" in reason for reason in day.refusals)
    assert len(day.refusals) <= len(day.said) / 20


def test_nobody_is_in_two_homes_at_once(day: Observed) -> None:
    spans: dict[str, list[tuple[datetime, datetime]]] = {}
    arrived = {(e.actor, e.alert): e.at for e in day.of("on_site")}
    for closed in day.of("closed"):
        since = arrived.get((closed.actor, closed.alert))
        if since is not None and day.alerts[closed.alert].home:
            spans.setdefault(closed.actor, []).append((since, closed.at))
    assert spans
    for times in spans.values():
        times.sort()
        assert all(left <= since for (_, left), (since, _) in itertools.pairwise(times))


def test_a_real_call_for_help_ends_as_real_and_in_hospital_and_a_mistake_as_false(day: Observed) -> None:
    outcomes = {
        alert.device: alert.outcome for alert in day.alerts.values() if alert.rule == "sos" and alert.outcome
    }
    assert outcomes[day.real.id] is Outcome.REAL
    assert outcomes[day.mistaken.id] is Outcome.FALSE
    told = [frame for frame in day.said if frame.channel.startswith("context/absence-")]
    assert any(msgspec.json.decode(frame.payload)["home"] == day.real.profile.home for frame in told)
    away = day.gateway.state.contexts_of(day.real.profile.home)
    assert any(context.kind is ContextKind.ABSENCE for context in away)


def test_technical_alerts_end_as_technical_and_the_device_works_again(day: Observed) -> None:
    ended = [a for a in day.alerts.values() if a.outcome and a.type is AlertType.TECHNICAL]
    lock = day.world.find("lock:3")[0]
    jams = [a for a in day.alerts.values() if a.device == lock.id and a.rule == "lock_jammed"]
    assert len(jams) == 1
    assert {a.outcome for a in (*ended, *jams)} == {Outcome.TECHNICAL}
    assert not getattr(lock, "jammed", True)


def test_who_goes_there_opens_the_lock_with_a_credential_of_their_own(day: Observed) -> None:
    locks = {d.profile.home for d in day.world.find("lock")}
    here = [e for e in day.of("on_site") if day.alerts[e.alert].home in locks]
    assert here
    for entry in here:
        home, who = day.alerts[entry.alert].home, credential_of(entry.actor)
        near = [at for at, where, credential in day.unlocked if (where, credential) == (home, who)]
        assert any(abs(entry.at - at) < timedelta(minutes=20) for at in near), entry


def test_phones_show_what_rings_within_seconds_and_high_alerts_are_accepted_soon(day: Observed) -> None:
    shown = [frame for frame in day.said if frame.transport is Transport.RECEIPT]
    assert shown
    first: dict[str, datetime] = {}
    for entry in day.of("accepted"):
        first.setdefault(entry.alert, entry.at)
    high = [a for a in day.alerts.values() if a.rule == "sos" and a.severity is Severity.HIGH]
    assert high
    assert all(first[a.id] - a.raised_at < timedelta(minutes=3) for a in high)


def test_the_visits_of_the_day_are_told_and_happen(day: Observed) -> None:
    (told, *_) = [frame for frame in day.said if frame.channel == "people/visits"]
    plan = msgspec.json.decode(told.payload)
    assert len(plan["visits"]) > 10
    assert not [a for a in day.alerts.values() if a.rule == "no_entry" and a.outcome is Outcome.REAL]


def test_the_same_seed_gives_the_same_log_of_decisions() -> None:
    one, two = Observed(20, 1.5), Observed(20, 1.5)
    assert one.keep.hexdigest() == two.keep.hexdigest()
    assert one.keep.events > 300
    assert Observed(20, 1.5, seed=2).keep.hexdigest() != one.keep.hexdigest()


def test_shifts_end_when_the_rotation_says_so_also_over_midnight() -> None:
    document = make_world(Plan(homes=20, life="still"), 1, START, secret=False).document
    roster = Roster(document, ZONE)

    def until(who: str, hour: int, day: int = 23) -> tuple[int, int]:
        at = datetime(2026, 11, day, hour, 5, tzinfo=ZONE).astimezone(UTC)
        ends = roster.works_until(who, at).astimezone(ZONE)
        return ends.day, ends.hour

    assert until("staff-01", 9) == (23, 15)
    assert until("staff-17", 23) == (24, 7)
    assert until("staff-17", 2, 24) == (24, 7)
    assert roster.next_team("staff-09", datetime(2026, 11, 23, 22, 31, tzinfo=ZONE)) == "night-patrol"
    assert roster.team_for("home-001", START + timedelta(hours=3)) == "care-group"


def test_ids_are_found_again_after_their_hour_was_packed() -> None:
    seen, hour = Seen(), 3_600_000
    names = [f"{hour * n + 5:012x}{n * 7919:016x}0000" for n in range(1, 40)]
    for name in names:
        seen.add(name)
    late = f"{hour * 2 + 9:012x}{12345:016x}0000"
    seen.add(late)
    assert all(name in seen for name in (*names, late))
    assert f"{hour * 3 + 5:012x}{1:016x}0000" not in seen
    assert Counter(name in seen for name in names)[True] == len(names)
