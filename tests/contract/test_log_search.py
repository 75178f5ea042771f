"""Searches of the log: every item once, in a fixed order, however small the pages and the bound."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.contract import Changes, EventPage, LogSearch, Mark, Sought
from gateway.model.alert import Alert, AlertEntry, AlertState, AlertType, Severity
from gateway.model.delivery import Delivery
from gateway.model.event import Event, event_id
from gateway.model.frame import Frame, Transport
from gateway.model.vocabulary import ClockQuality, DeviceKind, HealthValues, SensorValues
from gateway.stores.search import SqliteSearch
from gateway.stores.sqlite_store import SqliteStore

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FRAMES = 60


def event(number: int) -> Event:
    """Return an event; every third came an hour late."""
    at = AT + timedelta(minutes=number)
    word, values = ("motion.detected", SensorValues()) if number % 2 else ("battery.low", HealthValues())
    occurred_at = at - timedelta(hours=1) if number % 3 == 0 else at
    device = f"t/device-{number % 4}"
    return Event(
        id=event_id(device, str(number), occurred_at),
        type=word,
        device=device,
        kind=DeviceKind.MOTION_SENSOR,
        home=f"home-{number % 4}",
        person=f"person-{number % 4}" if number % 4 else None,
        occurred_at=occurred_at,
        received_at=at,
        processed_at=at,
        clock=ClockQuality.SYNCED,
        late_s=0,
        frame=number,
        values=values,
    )


def alert(number: int, version: int = 1) -> Alert:
    return Alert(
        id=f"{number:020x}",
        rule="sos",
        subject="x",
        severity=Severity.HIGH,
        type=AlertType.PERSON,
        text="sos",
        reason="",
        tenant="t",
        home=f"home-{number % 4}",
        frame=number,
        occurred_at=AT,
        raised_at=AT,
        state=AlertState.CLOSED if number % 2 else AlertState.OFFERED,
        ladder="care",
        deadline=None,
        accept_within_s=60,
        version=version,
    )


def entry(number: int, version: int, frame: int) -> AlertEntry:
    at = AT + timedelta(minutes=frame)
    return AlertEntry(
        alert=f"{number:020x}", version=version, at=at, action="raised", actor="sos", frame=frame
    )


def delivery(number: int) -> Delivery:
    return Delivery(
        id=f"d{number}",
        alert=f"{number:020x}",
        recipient="night",
        channel="page",
        step=0,
        round=1,
        queued_at=AT,
        deadline=AT,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    found = SqliteStore(tmp_path / "state.db")
    for number in range(1, FRAMES + 1):
        frame = Frame(Transport.MQTT, "x", b"", AT + timedelta(minutes=number), position=number)
        changes = Changes(frames=[frame], events=[event(number)])
        if number <= 20:
            changes.alerts = {f"{number:020x}": alert(number)}
            changes.entries = [entry(number, 1, number)]
            changes.deliveries = {f"d{number}": delivery(number)}
        found.commit(changes, number)
    yield found
    found.close()


@pytest.fixture
def search(store: SqliteStore, tmp_path: Path) -> Iterator[SqliteSearch]:
    assert store.cursor() == FRAMES
    found = SqliteSearch(tmp_path / "state.db", scanned=7)
    yield found
    found.close()


def walked(find: Callable[[Mark], EventPage]) -> list[Event]:
    """Return what all pages hold, following the marks."""
    found: list[Event] = []
    mark: Mark | None = ()
    for _ in range(200):
        page = find(mark or ())
        found += page.items
        mark = page.more
        if mark is None:
            return found
    raise AssertionError("the pages have no end")


@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize("newest_first", [False, True])
def test_every_event_comes_once_in_the_order_of_the_log(
    search: LogSearch, limit: int, *, newest_first: bool
) -> None:
    sought = Sought(newest_first=newest_first)
    found = walked(lambda mark: search.find_events(sought, mark, limit))
    order = sorted(range(1, FRAMES + 1), reverse=newest_first)
    assert [one.frame for one in found] == order


@pytest.mark.parametrize("newest_first", [False, True])
def test_by_time_they_come_as_they_happened(search: LogSearch, *, newest_first: bool) -> None:
    sought = Sought(by_time=True, newest_first=newest_first)
    found = walked(lambda mark: search.find_events(sought, mark, 4))
    assert len(found) == FRAMES
    times = [one.occurred_at for one in found]
    assert times == sorted(times, reverse=newest_first)


def test_what_is_narrowed_comes_whole_and_alone(search: LogSearch) -> None:
    sought = Sought(
        types=frozenset({"battery.low"}),
        devices=frozenset({"t/device-2"}),
        homes=frozenset({"home-2"}),
        persons=frozenset({"person-2"}),
        since=AT + timedelta(minutes=10),
        until=AT + timedelta(minutes=40),
        keep=lambda one: one.frame != 14,
    )
    for by_time in (False, True):
        narrowed = Sought(
            **{name: getattr(sought, name) for name in sought.__struct_fields__} | {"by_time": by_time}
        )
        found = walked(lambda mark, wanted=narrowed: search.find_events(wanted, mark, 2))  # type: ignore[misc]
        expected = [
            one
            for one in map(event, range(1, FRAMES + 1))
            if one.frame % 4 == 2
            and one.frame != 14
            and 10 <= (one.occurred_at - AT) / timedelta(minutes=1) < 40
        ]
        assert {one.id for one in found} == {one.id for one in expected}
        assert len(found) == len(expected) > 3


def test_a_page_that_keeps_nothing_still_ends_at_its_bound(search: LogSearch) -> None:
    page = search.find_events(Sought(types=frozenset({"fall.detected"})), (), 10)
    assert page.items == []
    assert page.more is not None


def test_an_event_that_is_committed_between_two_pages_is_on_a_later_one(
    search: LogSearch, store: SqliteStore
) -> None:
    first = search.find_events(Sought(), (), 5)
    late = event(FRAMES + 3)
    store.commit(Changes(events=[late]), FRAMES + 3)
    assert first.more is not None
    rest = walked(lambda mark: search.find_events(Sought(), mark or first.more or (), 5))
    assert rest[-1].id == late.id
    assert len(first.items) + len(rest) == FRAMES + 1


def test_frame_at_is_never_after_the_first_frame_of_that_time(search: LogSearch) -> None:
    for minutes in (0, 1, 30, 59, 60, 61, 10_000):
        at = AT + timedelta(minutes=minutes)
        frame = search.frame_at(at)
        assert frame <= max(1, minutes)
        assert frame >= min(FRAMES, minutes) - 2
    assert search.frame_at(AT - timedelta(days=9000)) <= 1
    assert search.frame_at(datetime.min.replace(tzinfo=UTC)) <= 1
    assert search.newest() == AT + timedelta(minutes=FRAMES)


def test_an_alert_stands_where_its_newest_line_is(search: LogSearch, store: SqliteStore) -> None:
    def names(mark: Mark, *, newest_first: bool = False) -> tuple[list[int], Mark | None]:
        page = search.find_alerts(Sought(newest_first=newest_first), mark, 6)
        return [int(one.id, 16) for one, _ in page.items], page.more

    first, more = names(())
    assert first == [1, 2, 3, 4, 5, 6]
    assert more is not None
    changed = Changes(alerts={f"{2:020x}": alert(2, 2)}, entries=[entry(2, 2, FRAMES + 1)])
    store.commit(changed, FRAMES + 1)
    rest: list[int] = []
    while more is not None:
        part, more = names(more)
        rest += part
    assert rest == [*range(7, 21), 2]
    assert names((), newest_first=True)[0][:3] == [2, 20, 19]


def test_lines_of_history_and_deliveries_come_once_each(search: LogSearch, store: SqliteStore) -> None:
    store.commit(Changes(deliveries={"d3": delivery(3)}), FRAMES + 1)  # it changed: it goes to the end
    for find, count, last in (
        (search.find_entries, 20, f"{20:020x}"),
        (search.find_deliveries, 20, f"{3:020x}"),
    ):
        found: list[str] = []
        mark: Mark | None = ()
        while mark is not None:
            page = find(Sought(), mark, 3)
            found += [one[0].id if isinstance(one[0], Alert) else one[1].id for one in page.items]
            mark = page.more
        assert len(found) == len(set(found)) == count
        assert found[-1] == last


def test_alerts_are_narrowed_by_home_and_by_whoever_asks(search: LogSearch) -> None:
    sought = Sought(homes=frozenset({"home-1"}), keep_entry=lambda one, _: one.id != f"{5:020x}")
    page = search.find_alerts(sought, (), 100)
    found = [int(one.id, 16) for one, _ in page.items]
    while page.more is not None:
        page = search.find_alerts(sought, page.more, 100)
        found += [int(one.id, 16) for one, _ in page.items]
    assert found == [1, 9, 13, 17]


def test_an_empty_log_is_searched_without_finding(tmp_path: Path) -> None:
    empty = SqliteStore(tmp_path / "other.db")
    search = SqliteSearch(tmp_path / "other.db")
    assert search.frame_at(AT) == 0
    assert search.newest() is None
    assert search.find_events(Sought(), (), 10) == EventPage([], None)
    assert search.event("x") is None
    search.close()
    empty.close()
