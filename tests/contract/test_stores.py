import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from gateway.contract import StoreUnavailableError
from gateway.model.frame import Transport
from gateway.pipeline.state import State
from gateway.stores.follower import Follower
from gateway.stores.sqlite_store import SqliteStore
from tests.unit.pipeline.town import PENDANT, Town


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    found = SqliteStore(path)
    yield found
    found.close()


def test_a_state_taken_up_again_equals_the_one_that_was_committed(store: SqliteStore) -> None:
    town = Town()
    town.state.changes = msgspec.structs.replace(town.state.changes, registry=town.state.registry.document)
    store.commit(town.state.take_changes(), 1)
    for step in (
        lambda: town.send(PENDANT, "alarm.manual", presses=3),
        lambda: town.send("t/stranger", "heartbeat"),
        lambda: town.send("t/lock-1", "lock.unlocked", means="phone", credential="c1"),
        lambda: town.later(seconds=61),
    ):
        store.commit(step(), town.position)
    again = State(store.load())
    assert again.alerts == town.state.alerts
    assert again.statuses == {k: v for k, v in town.state.statuses.items() if v.last_seen_at}
    assert again.discovered == town.state.discovered
    assert {timer.key for timer in again.timers()} >= {
        t.key for t in town.state.timers() if t.owner == "alert"
    }
    assert store.load().cursor == town.position


def test_a_registry_that_stands_where_files_had_it_before_is_taken_up(store: SqliteStore, path: Path) -> None:
    town = Town()
    document = town.state.registry.document
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("INSERT INTO meta VALUES ('registry', ?)", (document.to_json(),))
        file.execute("DROP TABLE registry")
    assert store.load().registry == document
    store.close()
    newer = SqliteStore(path)
    renamed = replace(document, team=(*document.team, replace(document.team[0], id="another")))
    newer.commit(msgspec.structs.replace(town.state.take_changes(), registry=renamed), 1)
    assert newer.load().registry == renamed
    newer.close()


def test_a_timer_deleted_in_the_same_batch_as_it_was_set_is_gone(store: SqliteStore) -> None:
    town = Town()
    alert = next(iter(town.send(PENDANT, "alarm.manual").alerts))
    store.commit(town.answer(alert, "close", outcome="test"), 3)
    assert not store.load().timers


def test_events_come_back_with_their_values_and_three_times(store: SqliteStore) -> None:
    town = Town()
    changes = town.send(PENDANT, "alarm.manual", presses=3, latitude=65.58, longitude=22.15)
    store.commit(changes, town.position)
    ((_, event),) = store.events(frame=town.position)
    assert event == changes.events[0]
    assert store.known([event.id, "f" * 32]) == {event.id}


def test_the_course_of_an_alert_can_be_read_back(store: SqliteStore) -> None:
    town = Town()
    changes = town.send(PENDANT, "alarm.manual")
    store.commit(changes, town.position)
    alert = next(iter(changes.alerts))
    store.commit(town.answer(alert, "accept"), town.position)
    assert [entry.action for entry in store.history(alert)] == ["raised", "offered", "accepted"]
    assert [d.recipient for d in store.deliveries(alert)] == ["day"]
    assert [found.id for found in store.alerts_of_frame(town.position)] == [alert]


def test_nothing_is_written_when_the_commit_fails(store: SqliteStore, path: Path) -> None:
    town = Town()
    changes = town.send(PENDANT, "alarm.manual")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store._writer.execute("PRAGMA busy_timeout=10")
    with pytest.raises(StoreUnavailableError):
        store.commit(changes, 7)
    other.execute("ROLLBACK")
    other.close()
    assert store.load().cursor == 0
    store.commit(changes, 7)
    assert len(store.load().alerts) == 1


def test_a_quarantined_frame_keeps_its_bytes_reason_and_clause(store: SqliteStore) -> None:
    from gateway.model.frame import Transport

    town = Town()
    changes = town.take(Transport.MQTT, f"vaka/1/{PENDANT}/event", b"\xff{")
    store.commit(changes, town.position)
    ((frame, device, reason, clause),) = store.quarantined()
    assert (frame.payload, device) == (b"\xff{", PENDANT)
    assert reason
    assert clause.startswith("VDI-")


def test_what_may_still_be_proved_comes_back_and_what_is_settled_can_be_asked_for(store: SqliteStore) -> None:
    town = Town(channels=("page", "sms", "webpush"))
    first = town.send(PENDANT, "alarm.manual")
    store.commit(first, town.position)
    page, push = sorted(first.deliveries.values(), key=lambda one: one.channel)
    store.commit(town.take(Transport.RECEIPT, f"delivery/sent/{push.id}", b""), town.position)
    store.commit(town.take(Transport.RECEIPT, f"delivery/failed/{page.id}", b"no page"), town.position)
    assert State(store.load()).deliveries == town.state.deliveries
    assert set(town.state.deliveries) == {push.id}
    settled = store.delivery(page.id)
    assert settled is not None
    assert settled.reason == "no page"
    assert store.delivery("unknown") is None


def test_a_follower_has_the_registry_that_belongs_to_the_page_it_read_last(
    store: SqliteStore, path: Path
) -> None:
    town = Town()
    document = town.state.registry.document
    first = town.send(PENDANT, "alarm.manual", presses=1)
    store.commit(replace(first, registry=document), town.position)
    with closing(Follower(path)) as follower:
        begins = follower.cursor()
        more = replace(document, team=(*document.team, replace(document.team[0], id="another")))
        then = town.send(PENDANT, "alarm.manual", presses=1)
        store.commit(replace(then, registry=more), town.position)
        assert "another" not in follower.registry().teams
        page = follower.page(begins, 10)
        assert page.events
        kept = follower.registry()
        assert "another" in kept.teams
        store.commit(town.send(PENDANT, "heartbeat"), town.position)
        follower.page(page.upto, 10)
        assert follower.registry() is kept, "one that did not change is not read again"
