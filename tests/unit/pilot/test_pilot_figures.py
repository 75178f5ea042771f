"""Every figure against a small data set that was worked out by hand (two_days)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.pilot.ask import QUERIES
from gateway.pilot.figures import Figures
from tests.unit.pilot.pilot_kit import Notebook
from tests.unit.pilot.two_days import two_days


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    return two_days().figures(tmp_path_factory.mktemp("pilot"))


def expected() -> Iterator[tuple[str, str, str, str, float | None]]:  # noqa: PLR0915 - one line a figure
    """query, measure, subject, part, value; None where the figure must be missing or hidden."""
    yield "scope", "days", "", "", 2
    yield "scope", "homes", "", "", 10
    yield "scope", "homes", "Product A", "", 5
    yield "scope", "devices", "Cam", "", 5
    # A is watched 5 x 48 h, and silent 24 - 6 h; B 12 - 6 h and 48 - 6 h.
    yield "availability", "availability", "Product A", "", 100 * (1 - 18 / 240)
    yield "availability", "availability", "Product B", "", 100 * (1 - 48 / 240)
    yield "availability", "availability", "", "", 86.25
    yield "availability", "longest_silence", "Product A", "", 24
    yield "availability", "longest_silence", "", "", 48
    yield "availability", "outages", "Product A", "", 1
    yield "availability", "outages", "Product B", "", 1
    yield "availability", "outages", "", "", 2
    yield "availability_weeks", "availability", "Product A", "2026-W02", 92.5
    # Of the lock's five messages with a good clock: 1, 2, 3, 4, 400 s.
    yield "latency", "latency_p50", "Lock", "", 3
    yield "latency", "latency_p90", "Lock", "", 4 + 0.6 * 396
    yield "latency", "latency_max", "Lock", "", 400
    yield "latency", "latency_late", "Lock", "", 20
    yield "alerts", "alerts", "", "", 9
    yield "alerts", "alerts", "dose_missed", "real", 1
    yield "alerts", "alerts", "dose_missed", "false", 2
    yield "alerts", "alerts", "look_missed", "real", 2
    yield "alerts", "alerts", "look_missed", "test", 1
    yield "alerts", "alerts", "device_offline", "technical", 1
    yield "alerts", "alerts", "device_silent", "open", 1
    yield "alerts", "alerts", "", "real", 4
    # The lock stands in two homes only, so no product's alerts are told.
    yield "alerts_products", "alerts", "Product A", "real", None
    yield "alerts_products", "alerts_device_month", "Product B", "", None
    yield "response", "response_p50", "high", "accepted", 40
    yield "response", "response_p90", "high", "accepted", 48
    yield "response", "response_p50", "high", "displayed", 5
    yield "response", "response_without", "high", "displayed", 2
    yield "response", "response_p50", "high", "on_site", 1650
    yield "response", "response_without", "high", "on_site", 1
    yield "response", "response_p90", "high", "closed", 2000 + 0.8 * 1000
    yield "response", "response_p50", "", "on_site", (900 + 1200) / 2
    yield "response", "response_without", "", "on_site", 2
    yield "promise", "promise_alarms", "", "", 3
    yield "promise", "promise_kept", "", "", 1
    yield "promise", "promise_later", "", "", 1
    yield "promise", "promise_unrecorded", "", "", 1
    yield "promise", "promise_share", "", "", 100 / 3
    yield "responders", "load_alerts", "1", "", 5
    yield "responders", "load_alerts", "2", "", 4
    yield "responders", "load_hour", "1", "", 5 / 48
    yield "responders", "load_peak", "1", "", 2  # both missed doses of hour 33
    yield "responders", "load_flood", "1", "", 0
    yield "responders", "load_medium", "1", "", 60
    yield "responders", "load_low", "1", "", 40
    yield "responders", "load_high", "2", "", 100
    yield "nuisance", "stale", "", "", 1  # open from hour 19 to the end
    yield "nuisance", "chattering", "", "", 1
    yield "doses", "doses_planned", "", "", 20
    yield "doses", "doses_in_time", "", "", 12
    yield "doses", "doses_late", "", "", 1
    yield "doses", "doses_missed", "", "", 3
    yield "doses", "doses_no_word", "", "", 4
    yield "doses", "doses_in_time", "Product A", "", 7
    yield "doses", "doses_in_time_share", "Product A", "", 70
    yield "doses", "doses_missed_share", "Product B", "", 20
    yield "doses", "doses_no_word", "Product B", "", 3
    yield "doses_weeks", "doses", "missed", "2026-W02", 3
    yield "looks", "looks_planned", "night", "", 5  # the second night's ends after the pilot
    yield "looks", "looks_done", "night", "", 4
    yield "looks", "looks_not_well", "night", "", 1
    yield "looks", "looks_missed", "night", "", 1
    yield "looks", "visits_replaced", "", "", 2
    yield "keys", "opened_without_key", "", "", 2
    yield "keys", "opened_with_key", "", "", 1
    yield "keys", "opened_unknown", "", "", 1
    yield "baseline", "before", "dose_visits_per_day", "", 10
    yield "baseline", "now", "dose_visits_per_day", "", 1
    yield "baseline", "now", "missed_doses_per_week", "", 10.5
    yield "baseline", "now", "alarms_per_week", "", 28
    yield "baseline", "now", "key_trips_per_week", "", 3.5
    yield "baseline", "now", "night_visits_per_night", "", 0.5
    yield from benefit()
    yield "residents", "help_p50", "", "", 1650
    yield "residents", "help_p90", "", "", 2250
    yield "residents", "supervision_missed", "", "", 1
    yield "residents", "visits_needless", "", "", 1
    yield "indicators", "persons", "medication_dispenser", "", 10
    yield "indicators", "persons", "medication_dispenser", "female", None  # six, but the men are three
    yield "indicators", "persons", "medication_dispenser", "male", None
    yield "indicators", "persons", "supervision_night", "", 5
    yield "indicators", "persons", "lock", "", None
    yield "gaps", "gap_never", "Product B", "", 1
    yield "gaps", "gap_never", "Product A", "", 0
    yield "gaps", "gap_days", "Product A", "", 0
    yield "gaps", "gap_days", "Cam", "", 1
    yield "gaps", "gap_unpromised", "Cam", "", 5
    yield "gaps", "gap_unsynced", "Lock", "", 100 / 6
    yield "gaps", "gap_unread", "Product A", "", 1
    yield "gaps", "gap_messages", "Cam", "", 4


def benefit() -> Iterator[tuple[str, str, str, str, float | None]]:
    months = 17 * 2 / 30.4375
    lines = {
        # two nights' visits: minutes at the hour's price, and the way there
        "night_visits": (20 / 60 * 300 + 4, 40 / 60 * 400 + 12, 500 + 24),
        # 10 a day before, 2 in the two days now: 18 fewer
        "dose_visits": (1.5 * 300 + 36, 3 * 400 + 108, 4.5 * 500 + 216),
        # two openings without a key; before, four trips, of which one is still made
        "key_trips": (0.2 * 300, 0.4 * 400, 500),
        # four expected, eight came: four more cost most in the lowest case
        "alarms": (-500, -40 / 60 * 400, -20 / 60 * 300),
        "devices": (-300 * months, -200 * months, -100 * months),
        "start": (-30, -20, -10),
    }
    for line, values in lines.items():
        for part, value in zip(("low", "likely", "high"), values, strict=True):
            yield "benefit", "benefit_sek", line, part, value
    for place, part in enumerate(("low", "likely", "high")):
        yield "benefit", "benefit_sek", "", part, sum(values[place] for values in lines.values())
    yield "benefit", "benefit_hours", "", "low", 20 / 60 + 1.5 + 0.2 - 1
    yield "benefit", "benefit_hours", "", "likely", 3.4
    yield "benefit", "benefit_hours", "", "high", 1 + 4.5 + 1 - 20 / 60
    yield "benefit", "benefit_fewer", "alarms", "", -4
    yield "benefit", "benefit_fewer", "key_trips", "", 2


@pytest.mark.parametrize(
    ("query", "measure", "subject", "part", "value"),
    list(expected()),
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_figure_is_what_was_worked_out_by_hand(  # noqa: PLR0917 - one figure
    found: Figures, query: str, measure: str, subject: str, part: str, value: float | None
) -> None:
    figure = found.get(query, measure, subject, part)
    assert figure is not None
    if value is None:
        assert (figure.value, figure.hidden) == (None, True)
    else:
        assert figure.value == pytest.approx(value, abs=1e-5)


def test_every_query_of_the_report_has_a_figure_worked_out_by_hand() -> None:
    assert {query for query, *_ in expected()} | {"battery"} == set(QUERIES)


def test_every_figure_that_is_shown_says_how_many_rows_are_behind_it(found: Figures) -> None:
    assert [one for one in found.all if one.rows is None and not one.hidden] == []


def test_a_battery_is_followed_along_its_line_since_it_was_charged(tmp_path: Path) -> None:
    book = Notebook()
    book.pilot(products=["P"], last_day="2026-01-20")
    for n in range(3):
        book.home(f"h{n}", f"p{n}")
        book.device(f"d{n}", "gps_alarm", "P", f"h{n}", f"p{n}")
    for day in range(12):
        book.said("d0", "heartbeat", day * 24 + 12, battery_percent=90 - day)  # 79 left: 79 days
        charged = 60 - 5 * day if day < 3 else 100 - 2 * (day - 3)  # 84 left, two a day: 42 days
        book.said("d1", "heartbeat", day * 24 + 12, battery_percent=charged)
        book.said("d2", "heartbeat", day * 24 + 12, battery_percent=50)  # no way to tell
    figures = book.figures(tmp_path, now_hour=400)

    assert figures.value("battery", "battery_soonest", "P") == pytest.approx(42)
    assert figures.value("battery", "battery_middle", "P") == pytest.approx((79 + 42) / 2)
    assert figures.value("battery", "battery_unknown", "P") == 1


def test_more_than_ten_alarms_in_ten_minutes_are_a_flood(tmp_path: Path) -> None:
    book = two_days()
    for n in range(11):
        book.alert("A-2", "device_offline", "low", 20 + n / 100, kind="ST", to="team-day")
    figures = book.figures(tmp_path)

    assert figures.value("responders", "load_peak", "1") == 11
    assert figures.value("responders", "load_flood", "1") == pytest.approx(100 / (48 * 6))


def test_what_cannot_be_computed_is_missing_and_never_nought(tmp_path: Path) -> None:
    figures = two_days(baseline=[], assumption=[], promise=None).figures(tmp_path)

    assert figures.get("promise", "promise_share") is None
    total = figures.get("benefit", "benefit_sek", "", "low")
    assert total is not None
    assert total.value is None
    assert figures.get("battery", "battery_soonest") is None


def test_a_pilot_that_still_goes_on_counts_what_has_happened_so_far(tmp_path: Path) -> None:
    book = two_days(last_day="2026-01-31")
    figures = book.figures(tmp_path)

    assert not figures.scope.over
    assert figures.value("scope", "days") == 2.5
    assert figures.value("doses", "doses_planned") == 30


def test_two_summers_and_winters_lie_in_their_own_time(tmp_path: Path) -> None:
    book = Notebook()
    book.pilot(products=["P"], first_day="2026-03-28", last_day="2026-03-30")
    for n in range(5):
        book.home(f"h{n}", f"p{n}")
        book.device(
            f"d{n}",
            "medication_dispenser",
            "P",
            f"h{n}",
            f"p{n}",
            doses=[{"ref": "m", "at": "08:00", "minutes": 30}],
        )
    to_march = (31 + 28 + 27 - 4) * 24  # hours from the fifth of January to the 28th of March
    for day, local in ((0, 8), (1, 7), (2, 7)):  # the clock goes forward in the night to the 29th
        book.said("d0", "medication.taken", to_march + day * 24 + local + 0.25)
    figures = book.figures(tmp_path, now_hour=to_march + 100)

    assert figures.value("doses", "doses_in_time", "P") == 3
    assert figures.value("scope", "days") == pytest.approx(3 - 1 / 24)
