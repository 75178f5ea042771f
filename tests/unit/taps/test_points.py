"""The identity of points: however the log is cut into pages, one event is one point and never another's."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract import Changes, Page
from gateway.model.alert import Alert, AlertEntry, AlertType, Severity
from gateway.model.event import Event, event_id
from gateway.model.registry import Registry, RegistryDocument
from gateway.model.vocabulary import (
    AlarmValues,
    ClockQuality,
    DeviceKind,
    LockValues,
    PositionValues,
    SensorValues,
    Values,
)
from gateway.service.tapping import TapMeans
from gateway.stores.events import PLACES_A_FRAME
from gateway.stores.sqlite_store import SqliteStore
from gateway.tap_settings import InfluxSettings, TapSettings
from gateway.taps.figures import InfluxTap
from gateway.taps.points import Line, lines

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REGISTRY = Registry(RegistryDocument())


def event(
    frame: int, *, key: str = "", device: str = "d1", told: datetime | None = NOW, **more: object
) -> Event:
    judged = more.get("judged", NOW)
    assert isinstance(judged, datetime)
    values = more.get("values", SensorValues())
    assert isinstance(values, Values)
    return Event(
        id=event_id(device, key or f"k{frame}", told or datetime.fromtimestamp(0, UTC)),
        type=str(more.get("type", "motion.detected")),
        device=device,
        kind=DeviceKind.MOTION_SENSOR,
        home="h1",
        person="p1",
        occurred_at=told or judged,
        received_at=judged,
        processed_at=judged,
        clock=ClockQuality.SYNCED if told else ClockQuality.NONE,
        late_s=0.5,
        frame=frame,
        values=values,
    )


def alert(name: str) -> Alert:
    return Alert(
        id=name, rule="sos", subject="d1", severity=Severity.HIGH, type=AlertType.PERSON, text="sos",
        reason="because", tenant="t", home="h1", person="p1", frame=1, occurred_at=NOW, raised_at=NOW,
        ladder="care", deadline=None, accept_within_s=60,
    )  # fmt: skip


class Log:
    """A whole log in memory, read as the store reads it."""

    def __init__(self, events: Sequence[Event], entries: Sequence[AlertEntry] = ()) -> None:
        self.events: list[tuple[int, Event]] = []
        for one in events:
            last = self.events[-1][0] if self.events else -1
            first = one.frame * PLACES_A_FRAME
            self.events.append((last + 1 if last >= first else first, one))
        self.entries = entries
        self.last = max([one.frame for one in (*events, *entries)], default=0)

    def cursor(self) -> int:
        return self.last

    def page(self, after: int, frames: int) -> Page:
        upto = min(self.last, after + frames)
        entries = [one for one in self.entries if after < one.frame <= upto]
        return Page(
            after=after,
            upto=upto,
            events=[(place, one) for place, one in self.events if after < one.frame <= upto],
            entries=entries,
            alerts={one.alert: alert(one.alert) for one in entries},
        )

    def named_at(self, moments: Sequence[str]) -> list[tuple[str, int, str, str]]:
        return [(one.id, p, one.device, one.type) for p, one in self.events if one.id[:12] in moments]


def tap(log: object) -> InfluxTap:
    section = InfluxSettings(url="http://127.0.0.1:9")
    means = TapMeans(TapSettings(influx=(section,)), lambda: REGISTRY, log, log, None)  # type: ignore[arg-type]
    return InfluxTap(means, section)


def written(log: Log, cuts: Sequence[int]) -> list[Line]:
    """Every line, when the log is read in pages of these lengths, over and over."""
    work, after, found = tap(log), 0, []
    number = 0
    while after < log.last:
        page = log.page(after, cuts[number % len(cuts)])
        found += lines(page, work._known(page), REGISTRY, positions=False)
        after, number = page.upto, number + 1
    work._close()
    return found


def identity(line: Line) -> tuple[str, str]:
    """What a server knows a point by: measurement with tags, and time."""
    head, _, rest = line.text.partition(" ")
    return head, rest.rpartition(" ")[2]


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),  # frames since the one before: several may share a frame, some are silent
        st.integers(0, 1),  # milliseconds since the one before was judged
        st.sampled_from(["d1", "d2"]),
        st.sampled_from([None, NOW, NOW + timedelta(milliseconds=1), NOW - timedelta(days=4000)]),
        st.booleans(),
    ),
    max_size=40,
)


@given(STEPS, st.lists(st.integers(1, 7), min_size=1, max_size=5))
@settings(max_examples=200)
def test_points_are_the_same_however_the_log_is_cut_and_no_two_are_one(
    steps: list[tuple[int, int, str, datetime | None, bool]], cuts: list[int]
) -> None:
    frame, judged = 1, NOW
    events, entries = [], []
    for number, (frames, later, device, told, history) in enumerate(steps):
        frame, judged = frame + frames, judged + timedelta(milliseconds=later)
        if history:
            name = f"a{number % 3}"
            entries.append(
                AlertEntry(alert=name, version=number, at=judged, action="raised", actor="r", frame=frame)
            )
        else:
            events.append(event(frame, key=f"k{number}", device=device, told=told, judged=judged))
    log = Log(events, sorted(entries, key=lambda one: (one.frame, one.alert, one.version)))
    whole = {line.item: line.text for line in written(log, [1000])}
    assert len({identity(Line(item, text)) for item, text in whole.items()}) == len(steps)
    assert {line.item: line.text for line in written(log, cuts)} == whole


def test_the_store_finds_what_shares_a_millisecond_with_an_event(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    near = [event(1), event(2), event(3, told=NOW + timedelta(milliseconds=1)), event(4, device="d2")]
    store.commit(Changes(events=near), 4)
    found = store.named_at([near[0].id[:12]])
    assert sorted(place for _, place, _, _ in found) == [
        PLACES_A_FRAME,
        2 * PLACES_A_FRAME,
        4 * PLACES_A_FRAME,
    ]
    work = tap(store)
    page = store.page(1, 10)
    twins = [",twin=1," in line.text for line in lines(page, work._known(page), REGISTRY, positions=False)]
    assert twins == [True, False, False]
    work._close()
    store.close()


PERSONAL = [
    LockValues(credential="tag-77", visit="visit-9", battery_percent=40.0),
    AlarmValues(latitude=59.3, longitude=18.1, accuracy_m=5),
    PositionValues(latitude=59.3, longitude=18.1, speed_kmh=4, source="gnss"),
    SensorValues(location="bedroom", button="north", details={"gps_lat": 59.3, "note": "Karin", "Kar in": 1}),
]


@pytest.mark.parametrize("values", PERSONAL)
def test_no_person_credential_visit_text_or_position_is_in_a_line(values: Values) -> None:
    log = Log([event(1, values=values)])
    (line,) = written(log, [10])
    for word in ("p1", "tag-77", "visit-9", "59.3", "18.1", "bedroom", "north", "Karin", "Kar", "gnss"):
        assert word not in line.text


def test_positions_leave_only_where_it_is_set_and_figures_are_all_floating_point() -> None:
    values = PositionValues(
        latitude=59.0, longitude=18.5, battery_percent=40.0, details={"steps": 3, "moving": True}
    )
    log = Log([event(1, values=values, type="position.update")])
    work = tap(log)
    page = log.page(0, 10)
    (line,) = lines(page, work._known(page), REGISTRY, positions=True)
    work._close()
    fields = dict(part.split("=") for part in line.text.split(" ")[1].split(","))
    assert fields == {
        "n": "1", "place": "4096", "late_s": "0.5", "latitude": "59", "longitude": "18.5",
        "battery_percent": "40", "detail_steps": "3", "detail_moving": "1",
    }  # fmt: skip


def test_a_line_of_history_tells_how_long_the_alert_had_been_raised_and_not_who_answered() -> None:
    entry = AlertEntry(
        alert="a1", version=2, at=NOW + timedelta(seconds=40), action="accepted", actor="staff-7", frame=9,
        detail="Karin is there soon", severity=Severity.HIGH, type=AlertType.PERSON,
    )  # fmt: skip
    (line,) = written(Log([], [entry]), [10])
    head = "vaka_alert,action=accepted,home=h1,phase=continue,rule=sos,severity=high,tenant=t,type=SP "
    assert line.text.startswith(head)
    assert "since_raised_s=40" in line.text
    assert "staff" not in line.text
    assert "Karin" not in line.text
