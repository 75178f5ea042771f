from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.contract import Changes
from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery
from gateway.pipeline.rejection import REJECTIONS
from gateway.pipeline.walk import Walk
from gateway.plugins import load_rules
from gateway.recording.file import Recording
from gateway.replay.crew import Crew
from gateway.replay.run import Run, Script, play
from gateway.replay.seen import Seen
from tests.unit.replay.kit import BOXED, TICK_LATE, Kept


class Noted(Run):
    """A run that keeps everything, as a store would."""

    def __init__(self, *parts: object) -> None:
        self.alerts: dict[str, Alert] = {}
        self.entries: list[AlertEntry] = []
        self.deliveries: dict[str, Delivery] = {}
        super().__init__(*parts)

    def _told(self, changes: Changes) -> None:
        self.alerts.update(changes.alerts)
        self.entries += changes.entries
        self.deliveries.update(changes.deliveries)
        super()._told(changes)


def run(path: Path, *, recorded_ticks: bool) -> Noted:
    recording = Recording(path)
    header, crew = recording.header, Crew(recording.examine())
    with Seen() as seen:
        noted = Noted(Walk((), load_rules(), header.channels), header, crew, Script({}, recorded_ticks), seen)
        play(noted, recording.inputs(), header)
    return noted


@pytest.fixture(scope="module")
def again(kept_file: Path) -> Noted:
    return run(kept_file, recorded_ticks=True)


def told(entry: AlertEntry) -> AlertEntry:
    return replace(entry, detail="")


def test_the_evening_has_what_makes_a_replay_hard(live: Kept) -> None:
    actions = {entry.action for entry in live.entries}
    of_boxed = {one.rule for one in live.alerts.values() if one.device == BOXED}

    assert {"accepted", "on_site", "closed", "escalated", "widened", "repeated", "changed"} <= actions
    assert {"collapsed", "joined", "on_site_expired", "cleared", "skipped"} <= actions
    assert "dispenser_jam" in of_boxed, "of a device that the console alone enrolled"
    assert {"rejected_message", "late_event", "vendor_outage", "outbox_old"} <= {
        one.rule for one in live.alerts.values()
    }
    assert {one.state.value for one in live.deliveries.values()} >= {"sent", "failed", "displayed", "skipped"}


def test_history_is_the_same_line_for_line(live: Kept, again: Noted) -> None:
    lines = sorted(map(told, again.entries), key=lambda one: (one.frame, one.alert, one.version))

    assert lines == list(map(told, live.entries))


def test_alerts_are_the_same_but_for_sentences_that_were_left_out(live: Kept, again: Noted) -> None:
    def bare(alert: Alert) -> Alert:
        quotes = alert.rule in REJECTIONS | {"outbox_old"}
        return replace(alert, reason="") if quotes else alert

    assert again.alerts.keys() == live.alerts.keys()
    assert {name: bare(one) for name, one in again.alerts.items()} == {
        name: bare(one) for name, one in live.alerts.items()
    }


def test_deliveries_are_the_same_but_for_what_channels_said(live: Kept, again: Noted) -> None:
    def bare(all_: dict[str, Delivery]) -> dict[str, Delivery]:
        return {name: replace(one, reason="") for name, one in all_.items()}

    assert bare(again.deliveries) == bare(live.deliveries)


def by_alert(noted: Kept | Noted) -> dict[tuple[str, str], list[AlertEntry]]:
    """The lines of each alert; those that the house raises about itself have other ids with other ticks."""
    found: dict[tuple[str, str], list[AlertEntry]] = {}
    for entry in sorted(noted.entries, key=lambda one: (noted.alerts[one.alert].raised_at, one.version)):
        alert = noted.alerts[entry.alert]
        found.setdefault((alert.rule, alert.subject), []).append(entry)
    return found


def test_ticks_of_its_own_give_the_same_but_for_how_late_ticks_were(live: Kept, kept_file: Path) -> None:
    """A recorded tick came a little after it was due, and every deadline set by it moved by as much."""
    was, now = by_alert(live), by_alert(run(kept_file, recorded_ticks=False))
    assert was.keys() == now.keys()
    near = 0
    for key, lines in was.items():
        both = list(zip(lines, now[key], strict=False))
        by_people = [one.action for one in lines if one.actor.startswith("staff-")]
        assert by_people == [one.action for one in now[key] if one.actor.startswith("staff-")], key
        assert abs(both[0][0].at - both[0][1].at) <= TICK_LATE
        near += sum(
            one.action == other.action and abs(one.at - other.at) <= TICK_LATE * (rings + 1)
            for rings, (one, other) in enumerate(both)
        )

    assert near >= 0.98 * len(live.entries)  # the rest met an answer that came in those moments


def test_every_recorded_alert_comes_again_under_another_name(live: Kept, file: Path) -> None:
    found = run(file, recorded_ticks=True)

    def seen(all_: dict[str, Alert]) -> list[tuple[object, ...]]:
        rows = [(one.raised_at, one.rule, one.severity, one.late_s) for one in all_.values()]
        return sorted(rows, key=str)

    assert seen(found.alerts) == seen(live.alerts)
    assert not found.alerts.keys() & live.alerts.keys()
