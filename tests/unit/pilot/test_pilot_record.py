"""The record of a pilot: what does not hold together is refused with a line that says what is allowed."""

from typing import Any

import pytest

from gateway.model.faults import RecordError
from gateway.model.pilot import Pilot
from gateway.model.registry import Registry
from tests.unit.pilot.two_days import two_days

GOOD: dict[str, Any] = {
    "id": "p",
    "tenant": "t",
    "name": "Two dispensers",
    "first_day": "2026-01-05",
    "last_day": "2026-01-06",
    "homes": ["h1"],
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"last_day": "2026-01-04"}, "last_day must be first_day or later"),
        ({"homes": []}, "homes, devices or products; found none"),
        (
            {"assumption": [{"input": "alarm_min", "low": 5, "likely": 4, "high": 6, "source": "guess"}]},
            "low <= likely <= high",
        ),
        ({"baseline": [{"measure": "alarms_per_week", "value": 5}]}, "source"),
        (
            {"baseline": [{"measure": "alarms_per_week", "value": 5, "source": "Counted"}] * 2},
            "stands twice",
        ),
    ],
)
def test_a_record_that_cannot_be_meant_is_refused(changed: dict[str, Any], said: str) -> None:
    Pilot.of(GOOD)
    with pytest.raises(RecordError, match=said):
        Pilot.of(GOOD | changed)


@pytest.mark.parametrize("key", ["homes", "devices", "products"])
def test_a_pilot_names_only_what_its_tenant_has(key: str) -> None:
    with pytest.raises(
        ValueError, match=f"pilot p: {key}: found 'elsewhere'; allowed: one that tenant 't' has"
    ):
        Registry(two_days(**{key: ["elsewhere"]}).document)


def test_a_pilot_of_a_tenant_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="pilot p: tenant: found 'nowhere'"):
        Registry(two_days(tenant="nowhere").document)
