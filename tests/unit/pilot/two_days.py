"""Two days of two dispensers, five cameras and two locks, for figures worked out by hand in the tests."""

from typing import Any

from tests.unit.pilot.pilot_kit import Notebook

HEARTBEAT_H = 6
DOSES = [{"ref": "morning", "at": "08:00", "minutes": 60}]
LOOKS = [{"ref": "night", "at": "23:30", "minutes": 40}]
SEXES = ("female", "female", "female", "male", "male", "female", "female", "female", "male", "")
DUE = {8: "2026-01-05T08:00:00+01:00", 32: "2026-01-06T08:00:00+01:00"}
ASSUMED = {
    "staff_hour_sek": (300, 400, 500),
    "night_visit_min": (10, 20, 30),
    "dose_visit_min": (5, 10, 15),
    "key_trip_min": (6, 12, 30),
    "alarm_min": (5, 10, 15),
    "visit_km": (1, 2, 3),
    "km_sek": (2, 3, 4),
    "device_month_sek": (100, 200, 300),
    "start_sek": (10, 20, 30),
}
BEFORE = {
    "night_visits_per_night": 10,
    "dose_visits_per_day": 10,
    "key_trips_per_week": 14,
    "missed_doses_per_week": 7,
    "alarms_per_week": 14,
}


def two_days(**changed: Any) -> Notebook:
    """Give the notebook; `changed` are other keys of the pilot's record."""
    book = Notebook()
    record: dict[str, Any] = {
        "homes": [f"h{n}" for n in range(10)],
        "baseline": [
            {"measure": name, "value": value, "source": "Counted by hand"} for name, value in BEFORE.items()
        ],
        "promise": {"on_site_min": 30, "source": "The municipality's own words"},
        "assumption": [
            {"input": name, "low": low, "likely": likely, "high": high, "source": "Assumed by hand"}
            for name, (low, likely, high) in ASSUMED.items()
        ],
    }
    book.pilot(**record | changed)
    for n in range(10):
        book.home(f"h{n}", f"person-{n}", SEXES[n])
        _dispenser(book, n)
    for n in range(5):
        book.device(f"cam-{n}", "camera", "Cam", f"h{n}", f"person-{n}", looks=LOOKS)
    for n in (1, 2):
        book.device(f"lock-{n}", "lock", "Lock", f"h{n}", f"person-{n}", supervised=False)
    _doses(book)
    _looks_and_locks(book)
    _alerts(book)
    book.unreadable("A-0", 5)
    return book


def name_of(n: int) -> str:
    return f"{'A' if n < 5 else 'B'}-{n}"


def _dispenser(book: Notebook, n: int) -> None:
    """A-0 is silent from hour 12 to 36, B-5 from 6 to 18, B-9 for ever."""
    name, model = name_of(n), "Product A" if n < 5 else "Product B"
    meaning = {"heartbeat_s": HEARTBEAT_H * 3600, "doses": DOSES}
    book.device(name, "medication_dispenser", model, f"h{n}", f"person-{n}", **meaning)
    silent = {"A-0": (12, 36), "B-5": (6, 18), "B-9": (-1, 99)}.get(name, (0, 0))
    for at in range(0, 49, HEARTBEAT_H):
        if not silent[0] < at < silent[1]:
            book.said(name, "heartbeat", at)


def _doses(book: Notebook) -> None:
    """In time 12, late 1, missed 3, without a word 4: A-0 and B-5 once, B-9 twice."""

    def taken(name: str, due: int, after_h: float) -> None:
        book.said(
            name,
            "medication.taken",
            due + after_h,
            dose="morning",
            due_at=DUE[due],
            window_min=60,
        )

    def missed(name: str, due: int) -> None:
        book.said(name, "medication.missed", due + 1, dose="morning", due_at=DUE[due], window_min=60)
        book.said(name, "medication.retracted", due + 1, dose="morning", due_at=DUE[due], window_min=60)

    taken("A-0", 8, 0.2)
    taken("A-1", 8, 1.5)
    missed("A-1", 32)
    for name in ("A-2", "A-3", "A-4", "B-7"):
        taken(name, 8, 0.25)
        taken(name, 32, 0.75)
    taken("B-5", 32, 0.1)
    missed("B-6", 8)
    missed("B-6", 32)
    book.said("B-8", "medication.dispensed", 8.4)  # says neither which dose nor when it was due
    taken("B-8", 32, 0.4)


def _looks_and_locks(book: Notebook) -> None:
    """Of five looks one is missed, one sees nobody, one is followed by a visit: two replaced a visit."""
    look = 23.7
    book.said("cam-0", "supervision.performed", look, outcome="seen", slot="night")
    book.said("cam-1", "supervision.performed", look, outcome="seen")
    book.said("cam-2", "supervision.performed", look, outcome="not_visible", slot="night")
    book.said("cam-4", "supervision.performed", look, outcome="seen", slot="night")
    book.said("lock-1", "lock.unlocked", look + 0.5, late_s=1, means="phone", credential="tag-anna")
    book.said("lock-2", "lock.unlocked", 10, late_s=2, means="tag", credential="tag-anna")
    book.said("lock-2", "lock.unlocked", 11, late_s=3, means="code", credential="resident")
    book.said("lock-2", "lock.unlocked", 12, late_s=4, means="inside_knob")
    book.said("lock-2", "lock.unlocked", 13, late_s=400, means="key")
    book.said("lock-2", "lock.unlocked", 14, late_s=50, clock="unsynced")


def _alerts(book: Notebook) -> None:
    day = {"to": "team-day"}
    night = {"to": "team-night"}
    answered = {"displayed_s": 10, "accepted_s": 60, "on_site_s": 600, "closed_s": 1200}
    book.alert("A-1", "dose_missed", "medium", 33, outcome="real", **day, **answered)
    book.alert("B-6", "dose_missed", "medium", 9, outcome="false", accepted_s=120, closed_s=600, **day)
    book.alert(
        "B-6",
        "dose_missed",
        "medium",
        33,
        outcome="false",
        accepted_s=180,
        on_site_s=1200,
        closed_s=1800,
        **day,
    )
    book.alert(
        "cam-2",
        "abnormal_look",
        "high",
        24.5,
        outcome="real",
        displayed_s=5,
        accepted_s=30,
        on_site_s=900,
        closed_s=2000,
        **night,
    )
    book.alert(
        "cam-3",
        "look_missed",
        "high",
        24.6,
        outcome="real",
        accepted_s=40,
        on_site_s=2400,
        closed_s=3000,
        **night,
    )
    book.alert("cam-0", "look_missed", "high", 30, outcome="real", accepted_s=50, closed_s=100, **night)
    book.alert("cam-1", "look_missed", "high", 40, outcome="test", accepted_s=1, closed_s=2, **night)
    book.alert("B-9", "device_silent", "low", 19, kind="ST", **day)
    turns = (10, 20, 30, 40, 50)
    book.alert(
        "A-0", "device_offline", "low", 15, kind="ST", outcome="technical", turns=turns, closed_s=300, **day
    )
