"""Advertisements: each object has its length, and a repeat within a burst is told by its counter."""

import json
from datetime import timedelta

import pytest

from adapters.bthome import ADAPTER as BTHOME
from adapters.bthome.objects import KINDS, read_objects
from gateway.model.event import flat_values
from gateway.model.frame import Transport
from tests.unit.adapters.spoken import first, heard
from tests.unit.pipeline.town import START, Town, document

ADDRESS = "A4:C1:38:8D:18:B2"
CHANNEL = f"ble/adv/{ADDRESS}"


def advertisement(data: str) -> str:
    return json.dumps({"service_uuid": "fcd2", "service_data_hex": data})


@pytest.mark.parametrize("id_", sorted(KINDS))
def test_every_object_is_as_long_as_the_format_says(id_: int) -> None:
    size = KINDS[id_].size
    body = bytes([2, 0x41, 0x42]) if not size else bytes(size)
    data = bytes([id_]) + body + bytes([0x01, 100])
    assert [one.id for one in read_objects(data, ADDRESS).found] == [id_, 0x01]


@pytest.mark.parametrize(
    ("data", "name", "value"),
    [
        ("4002ca09", "temperature_c", 25.06),
        ("400206ff", "temperature_c", -2.5),
        ("404511ff", "temperature_c", -23.9),
        ("4003bf13", "humidity_percent", 50.55),
        ("4004138a01", "pressure_hpa", 1008.83),
        ("4057ea", "temperature_c", -22),
        ("4062409993ff", "speed_m_s", -7.104192),
        ("40f1000102 04".replace(" ", ""), "firmware", "4.2.1.0"),
    ],
)
def test_measurements_have_their_factor_and_sign(data: str, name: str, value: object) -> None:
    assert flat_values(first(BTHOME, CHANNEL, advertisement(data)).values)[name] == value


def test_a_name_in_the_advertisement_or_in_a_text_object_stays_behind() -> None:
    told = json.dumps(
        {
            "service_uuid": "fcd2",
            "service_data_hex": "40" + "530b" + b"Secret Name".hex() + "3a01",
            "local_name": "Secret Name",
        }
    )
    assert "Secret" not in str(heard(BTHOME, CHANNEL, told))


def town() -> Town:
    button = {"id": "b1", "tenant": "t", "adapter": "bthome", "native_id": ADDRESS, "kind": "button"}
    enrolled = {"device": "b1", "home": "h1", "person": "p1", "since": START, "role": "sos"}
    built = Town()
    whole = document()
    known = json.loads(whole.to_json())
    extra = document(device=[*known["device"], button], enrolment=[*known["enrolment"], enrolled])
    built.take(Transport.REGISTRY, "registry", extra.to_json())
    return built


def press(at: Town, packet: str) -> list[str]:
    payload = advertisement(f"4400{packet}3a01").encode()
    return [event.type for event in at.take(Transport.BLE, CHANNEL, payload).events]


def test_a_press_repeated_in_its_burst_is_one_and_the_counter_come_round_is_another() -> None:
    place = town()
    assert press(place, "09") == ["button.pressed"]
    place.now += timedelta(seconds=2)
    assert press(place, "09") == []
    place.now += timedelta(seconds=2)
    assert press(place, "0a") == ["button.pressed"]
    place.now += timedelta(hours=5)
    assert press(place, "09") == ["button.pressed"]
