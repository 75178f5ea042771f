"""Fleet health: battery forecasts that are honest, and grades with their reasons."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.model.equipment import Charge
from gateway.model.registry import Device, Enrolment
from gateway.model.status import DeviceStatus
from gateway.model.vocabulary import DeviceKind
from gateway.onboarding.battery import forecast
from gateway.onboarding.fleet import Grade, Known, health, products

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DEVICE = Device(id="t/d", tenant="t", adapter="vaka", native_id="t/d", kind=DeviceKind.LOCK)
ENROLMENT = Enrolment(device="t/d", home="h", since=NOW - timedelta(days=90), heartbeat_s=3600)


def falling(days: int, per_day: float, start: float = 90, **odd: float) -> tuple[Charge, ...]:
    wrong = {int(key[1:]): value for key, value in odd.items()}
    return tuple(
        Charge(NOW - timedelta(days=days - n), wrong.get(n, start - per_day * n)) for n in range(days + 1)
    )


def test_a_steady_fall_is_forecast_to_the_critical_charge() -> None:
    found = forecast(falling(30, 1.0), NOW)
    assert found.known
    assert found.percent_per_day == pytest.approx(-1.0)
    assert found.days == pytest.approx(50)  # 60 % now, 10 % is critical


def test_a_few_wrong_charges_do_not_bend_the_forecast() -> None:
    found = forecast(falling(30, 1.0, n5=81, n11=70, n23=74), NOW)
    assert found.percent_per_day == pytest.approx(-1.0, abs=0.05)
    assert found.earliest_days is not None
    assert found.earliest_days <= 50.5


@pytest.mark.parametrize(
    ("charges", "reason"),
    [
        ((), "few"),
        (falling(4, 1.0), "few"),
        (tuple(Charge(NOW + timedelta(hours=6 * n), 80) for n in range(8)), "short"),
    ],
)
def test_too_little_is_unknown_and_says_why(charges: tuple[Charge, ...], reason: str) -> None:
    found = forecast(charges, NOW)
    assert (found.known, found.reason, found.days) == (False, reason, None)


def test_a_new_battery_begins_anew() -> None:
    worn = tuple(Charge(one.at - timedelta(days=40), one.percent) for one in falling(30, 2.0))
    assert not forecast((*worn, *falling(3, 1.0, start=100)), NOW).known


def test_a_charge_that_does_not_fall_has_no_day() -> None:
    found = forecast(falling(30, 0.0, start=100), NOW)
    assert (found.known, found.days, found.latest_days) == (True, None, None)


def test_noise_leaves_the_latest_day_open() -> None:
    noisy = tuple(Charge(NOW - timedelta(days=20 - n), 80 - 0.05 * n + (n * 7 % 11 - 5)) for n in range(21))
    found = forecast(noisy, NOW)
    assert found.known
    assert found.latest_days is None


def status(**more: object) -> DeviceStatus:
    made = DeviceStatus(
        device="t/d", last_seen_at=NOW - timedelta(minutes=5), watched_since=NOW - timedelta(days=30)
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("found", "grade", "reason"),
    [
        (status(), Grade.GOOD, None),
        (status(last_seen_at=NOW - timedelta(hours=3)), Grade.BAD, "silent"),
        (status(slots={"link": "device.offline"}), Grade.BAD, "offline"),
        (status(battery_percent=9.0), Grade.BAD, "battery_critical"),
        (status(battery_percent=18.0), Grade.POOR, "battery_low"),
        (status(silent_s=3 * 86400.0), Grade.POOR, "silence"),
        (status(silent_s=86400.0), Grade.FAIR, "silence"),
        (status(rejected=1), Grade.FAIR, "rejected"),
        (status(late=2), Grade.FAIR, "late"),
        (DeviceStatus(device="t/d"), Grade.UNKNOWN, "never_heard"),
    ],
)
def test_a_grade_has_its_reason(found: DeviceStatus, grade: Grade, reason: str | None) -> None:
    judged = health(Known(device=DEVICE, enrolment=ENROLMENT, status=found), NOW)
    assert judged.grade is grade
    assert judged.reasons == ((reason,) if reason else ())


def test_products_are_counted_together() -> None:
    ones = [
        health(Known(device=DEVICE, enrolment=ENROLMENT, status=status(rejected=n, firmware=f"1.{n}")), NOW)
        for n in range(3)
    ]
    (found,) = products(ones)
    assert (found.devices, found.rejected, found.firmware) == (3, 3, ("1.0", "1.1", "1.2"))
    assert found.grades["fair"] == 2
