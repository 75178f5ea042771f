"""Imports: a plan as CSV or iCalendar becomes the frame that the walk takes, or a line about the fault."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from gateway.contract import ConfigurationError
from gateway.imports.plans import Import, frame_of
from gateway.model.frame import Transport
from tests.unit.people.crew import Crew, at, rung
from tests.unit.pipeline.town import PENDANT

ZONE = ZoneInfo("Europe/Stockholm")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//plan//EN
{}
END:VCALENDAR
"""
NIGHT = """BEGIN:VEVENT
UID:night-1
DTSTAMP:20261001T000000Z
DTSTART;TZID=Europe/Stockholm:20261023T223000
DTEND;TZID=Europe/Stockholm:20261024T070000
SUMMARY:staff-8
CATEGORIES:night
RRULE:FREQ=DAILY;UNTIL=20261027T225959Z
EXDATE;TZID=Europe/Stockholm:20261026T223000
END:VEVENT"""


def told(kind: str, text: str | bytes, **more: object) -> Import:
    content = text.encode() if isinstance(text, str) else text
    given = {"zone": ZONE, "source": "plan", "tenant": "t", **more}
    return Import(kind=kind, content=content, **given)  # type: ignore[arg-type]


def rows(kind: str, text: str | bytes, **more: object) -> list[dict[str, str]]:
    found = msgspec.json.decode(frame_of(told(kind, text, **more), NOW).payload)[kind]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("mark", [",", ";"])
def test_a_table_of_shifts_is_read_by_the_tenants_clock(mark: str) -> None:
    text = "\ufeffStaff,team,since,until\nstaff-1,day,2026-10-24 22:30,2026-10-25 07:00\n".replace(",", mark)
    (row,) = rows("shifts", text)
    assert (row["since"], row["until"]) == ("2026-10-24T20:30:00Z", "2026-10-25T06:00:00Z"), (
        "nine hours and a half"
    )
    assert (row["staff"], row["team"], row["source"]) == ("staff-1", "day", "plan")
    assert row["id"] == rows("shifts", text)[0]["id"], "the same row has the same name"


def test_what_is_imported_holds_at_once() -> None:
    crew = Crew(rotation=[])
    text = "staff;team;since;until\nstaff-4;day;2026-11-22 07:00;2026-11-22 16:00\n"
    frame = frame_of(told("shifts", text), crew.now)
    assert not crew.take(Transport.REGISTRY, frame.channel, frame.payload).refusals
    assert rung(crew.send(PENDANT, "alarm.manual")) == ["staff-4"]


def test_a_table_of_staff_and_one_of_visits_are_taken_up() -> None:
    crew = Crew()
    people = frame_of(told("staff", "ref,teams,competences\nstaff-30,day night,keys delegation\n"), crew.now)
    assert not crew.take(Transport.REGISTRY, people.channel, people.payload).refusals
    assert crew.state.people.staff["staff-30"].competences == {"keys", "delegation"}
    visits = "home,staff,since,until\nh1,staff-30,2026-11-22 12:30,2026-11-22 13:30\n"
    frame = frame_of(told("visits", visits), crew.now)
    assert not crew.take(Transport.REGISTRY, frame.channel, frame.payload).refusals
    (visit,) = crew.state.contexts_of("h1")
    assert (visit.ref, visit.since) == ("staff-30", at("2026-11-22T12:30:00+01:00"))


def test_a_calendars_repetitions_follow_the_wall_clock_and_leave_out_its_exceptions() -> None:
    span = {"since": at("2026-10-20T00:00:00+02:00"), "until": at("2026-11-20T00:00:00+01:00")}
    found = rows("shifts", CALENDAR.format(NIGHT), **span)
    assert [row["since"] for row in found] == [
        "2026-10-23T20:30:00Z",
        "2026-10-24T20:30:00Z",
        "2026-10-25T21:30:00Z",
        "2026-10-27T21:30:00Z",
    ]
    assert found[1]["until"] == "2026-10-25T06:00:00Z", "the night in which the clocks go back"
    assert {(row["staff"], row["team"]) for row in found} == {("staff-8", "night")}


def test_a_changed_repetition_stands_instead_of_the_planned_one_and_a_cancelled_one_falls_out() -> None:
    changed = """BEGIN:VEVENT
UID:night-1
RECURRENCE-ID;TZID=Europe/Stockholm:20261024T223000
DTSTAMP:20261001T000000Z
DTSTART;TZID=Europe/Stockholm:20261024T223000
DTEND;TZID=Europe/Stockholm:20261025T070000
SUMMARY:staff-9
CATEGORIES:night
END:VEVENT"""
    cancelled = changed.replace("UID:night-1", "UID:x\nSTATUS:CANCELLED").replace("RECURRENCE-ID", "X-WAS")
    span = {"since": at("2026-10-20T00:00:00+02:00"), "until": at("2026-11-20T00:00:00+01:00")}
    found = rows("shifts", CALENDAR.format(f"{NIGHT}\n{changed}\n{cancelled}"), **span)
    by_day = {row["since"]: row["staff"] for row in found}
    assert len(found) == 4
    assert by_day["2026-10-24T20:30:00Z"] == "staff-9"


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("shifts", "staff,team,since,until\nstaff-1,day,soon,later\n", "line 2: since: found 'soon'"),
        ("shifts", "staff,team,since\nstaff-1,day,2026-01-01\n", "the column 'until' is missing"),
        ("shifts", "staff,phone\nx,070\n", "found column 'phone'; allowed: id, off, since"),
        ("shifts", "staff,team,since,until\nstaff-1,day\n", "line 2: found another number of cells"),
        ("shifts", "staff,team,since,until\n,day,2026-01-01,2026-01-02\n", "line 2: staff: found nothing"),
        ("shifts", "staff,team,since,until,off\nx,d,2026-01-01,2026-01-02,maybe\n", "off: found 'maybe'"),
        ("shifts", "staff,team,since,until\n", "found no rows"),
        ("shifts", b"\xff\xfe", "no UTF-8"),
        ("shifts", "BEGIN:VCALENDAR\nnonsense", "cannot be read"),
        ("shifts", CALENDAR.format(NIGHT), "RRULE: it repeats: say since when"),
        ("shifts", CALENDAR.format(NIGHT.replace("SUMMARY:staff-8\n", "")), "SUMMARY"),
        ("visits", CALENDAR.format(NIGHT), "found a calendar"),
        ("else", "", "kind: found 'else'"),
    ],
)
def test_a_file_with_a_fault_is_refused_with_where_it_is(kind: str, text: str | bytes, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        frame_of(told(kind, text), NOW)
    assert said in str(error.value)


def test_a_file_past_the_limit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="bytes; allowed"):
        frame_of(told("staff", b"x" * (4 * 1024 * 1024 + 1)), NOW)
