"""The home that an edge hears by Bluetooth: enrolled beside the others, and played by nobody else."""

from datetime import UTC, datetime

from gateway.model.registry import Registry
from simulators.bluetooth import EDGE, PARTS, with_bluetooth
from simulators.municipality import make_municipality
from simulators.town import make_devices

SINCE = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)


def test_the_home_is_one_more_and_speaks_through_its_edge() -> None:
    plain = make_municipality(20, 1, since=SINCE)
    made = with_bluetooth(plain, SINCE)
    registry = Registry(made.document)
    assert len(registry.homes) == len(plain.document.home) + 1
    behind = {device.id for device in made.document.device if device.via == f"demo/{EDGE}"}
    assert behind == {part.id("demo") for part in PARTS}
    assert {registry.enrolments[name].home for name in (*behind, f"demo/{EDGE}")} == {"home-021"}
    assert made.passwords.keys() - plain.passwords.keys() == {f"demo/{EDGE}"}


def test_what_speaks_through_an_edge_is_not_played_over_mqtt_too() -> None:
    plain = make_municipality(20, 1, since=SINCE)
    alone = make_devices(Registry(plain.document), 1, SINCE)
    beside = make_devices(Registry(with_bluetooth(plain, SINCE).document), 1, SINCE)
    assert [one.id for one in beside] == [one.id for one in alone]
