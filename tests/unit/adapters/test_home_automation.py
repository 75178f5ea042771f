"""Home automation as its users met it: the traps of switches, hubs, trackers' servers and announcements."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.esphome import ADAPTER as ESPHOME
from adapters.homeassistant import HomeAssistantAdapter
from adapters.homeassistant.template import compiled
from adapters.shelly import ADAPTER as SHELLY
from adapters.tasmota import ADAPTER as TASMOTA
from adapters.traccar import ADAPTER as TRACCAR
from adapters.zigbee2mqtt import ADAPTER as ZIGBEE2MQTT
from gateway.contract import Adapter, Undecodable
from gateway.model.event import flat_values
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Ignored, Reading

RECEIVED = datetime(2026, 2, 3, 20, 15, tzinfo=UTC)


def said(adapter: Adapter, topic: str, payload: Any, *, retained: bool = False) -> list[Reading | Ignored]:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return list(adapter.decode(Frame(Transport.MQTT, topic, text.encode(), RECEIVED, retained=retained)))


def words(adapter: Adapter, topic: str, payload: Any, *, retained: bool = False) -> list[str]:
    items = said(adapter, topic, payload, retained=retained)
    return [item.type for item in items if isinstance(item, Reading)]


def shelly(**components: Any) -> dict[str, Any]:
    return {"src": "s", "method": "NotifyStatus", "params": {"ts": 1631186545.04, **components}}


def test_a_press_between_its_edges_is_one_press() -> None:
    events = [
        {"component": "input:0", "id": 0, "event": event, "ts": 1646945882.4}
        for event in ("btn_down", "btn_up", "single_push")
    ]
    payload = {"src": "s", "method": "NotifyEvent", "params": {"ts": 1646945882.4, "events": events}}
    assert words(SHELLY, "s/events/rpc", payload) == ["button.pressed"]


@pytest.mark.parametrize(
    ("component", "status", "word", "native_id"),
    [
        ("input:0", {"state": True}, "input.active", "s"),
        ("input:3", {"state": False}, "input.inactive", "s/input:3"),
        ("flood:0", {"alarm": True}, "leak.detected", "s"),
        ("smoke:0", {"alarm": False}, "smoke.cleared", "s"),
        ("devicepower:0", {"battery": {"percent": 9}}, "battery.critical", "s"),
        ("bthomedevice:200", {"battery": 55}, "battery.ok", "s/bthomedevice:200"),
        ("presencezone:200", {"value": False}, "presence.cleared", "s/presencezone:200"),
        ("flood:0", {"errors": ["cable_unplugged"]}, "device.fault", "s"),
        ("flood:0", {"errors": []}, "device.ok", "s"),
    ],
)
def test_a_component_says_its_level_as_the_device_or_part_that_it_is(
    component: str, status: dict[str, Any], word: str, native_id: str
) -> None:
    found = said(SHELLY, "s/events/rpc", shelly(**{component: status}))[0]
    assert isinstance(found, Reading)
    assert (found.type, found.native_id, found.happened) == (word, native_id, False)


def test_a_whole_status_without_errors_ends_a_fault_and_a_change_without_them_does_not() -> None:
    assert words(SHELLY, "s/status/flood:0", {"alarm": False}) == ["leak.cleared", "device.ok"]
    assert words(SHELLY, "s/events/rpc", shelly(**{"flood:0": {"alarm": False}})) == ["leak.cleared"]


def test_a_part_that_is_null_and_a_time_that_is_null_cost_nothing() -> None:
    payload = {"src": "s", "method": "NotifyStatus", "params": {"ts": None, "wifi": None, "input:0": None}}
    assert words(SHELLY, "s/events/rpc", payload) == []


def test_a_topic_that_is_none_of_theirs_is_refused() -> None:
    with pytest.raises(Undecodable, match="none of"):
        said(SHELLY, "s/debug/log", "x")
    with pytest.raises(Undecodable, match="neither tele nor stat"):
        said(TASMOTA, "cmnd/t/POWER", "ON")


def test_too_many_parts_in_one_message_are_refused() -> None:
    with pytest.raises(Undecodable, match="components"):
        said(SHELLY, "s/events/rpc", shelly(**{f"input:{n}": {} for n in range(200)}))
    with pytest.raises(Undecodable, match="parts"):
        said(TASMOTA, "tele/t/SENSOR", {str(n): 1 for n in range(300)})


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("2021-01-01T00:00:01", None),
        ("2021-01-01T00:00:01+01:00", "2020-12-31T23:00:01+00:00"),
        (1609459201, "2021-01-01T00:00:01+00:00"),
        ("yesterday", None),
    ],
)
def test_a_local_time_without_zone_is_no_device_time(time: Any, at: str | None) -> None:
    found = said(TASMOTA, "tele/t/SENSOR", {"Time": time, "Switch1": "ON"})[0]
    assert isinstance(found, Reading)
    assert (found.occurred_at and found.occurred_at.isoformat()) == at
    assert flat_values(found.values)["state"] == "ON"


def test_zigbee_contacts_of_the_two_bridges_say_it_the_other_way_round() -> None:
    payload = {"ZbReceived": {"0x662E": {"Contact": 1}}}
    assert words(TASMOTA, "tele/bridge/SENSOR", payload) == ["door.opened"]
    assert words(ZIGBEE2MQTT, "zigbee2mqtt/d", {"contact": True}) == ["door.closed"]


def test_a_retained_happening_is_old_and_a_retained_level_is_not() -> None:
    zigbee = {"ZbReceived": {"0x1": {"Occupancy": 1, "0006!02": "", "Water": 1}}}
    assert words(TASMOTA, "tele/bridge/SENSOR", zigbee, retained=True) == ["leak.detected"]
    assert words(ESPHOME, "n/binary_sensor/door/state", "ON", retained=True) == ["input.active"]
    rf = {"RfReceived": {"Data": "7028D4"}}
    assert words(TASMOTA, "tele/rf/RESULT", rf, retained=True) == []


def test_a_zigbee_part_that_is_no_object_is_refused_with_its_path() -> None:
    with pytest.raises(Undecodable, match="ZbReceived"):
        said(TASMOTA, "tele/bridge/SENSOR", {"ZbReceived": {"0x1": 3}})


def test_a_speed_in_knots_is_told_in_kilometres_an_hour() -> None:
    position = {"deviceId": 4, "latitude": 59.3, "longitude": 18.0, "speed": 10, "fixTime": 1748772000000}
    found = said(TRACCAR, "traccar/positions", {"position": position})[0]
    assert isinstance(found, Reading)
    assert flat_values(found.values)["speed_kmh"] == pytest.approx(18.52)


def test_a_call_for_help_is_as_old_as_its_event_and_not_as_its_last_fix() -> None:
    event = {"id": 1, "type": "alarm", "deviceId": 4, "attributes": {"alarm": "sos"}}
    event["eventTime"] = "2025-06-01T10:00:01Z"
    old = {"deviceId": 4, "latitude": 59.3, "longitude": 18.0, "fixTime": "2025-06-01T08:00:00Z"}
    found = said(TRACCAR, "traccar/events", {"event": event, "position": old})[0]
    assert isinstance(found, Reading)
    assert (found.type, found.occurred_at) == ("alarm.manual", datetime(2025, 6, 1, 10, 0, 1, tzinfo=UTC))


ANNOUNCED: dict[str, Any] = {
    "name": None,
    "unique_id": "c1",
    "device_class": "door",
    "state_topic": "house/door",
    "value_template": "{{ value_json.contact }}",
    "payload_on": False,
    "payload_off": True,
    "device": {"identifiers": ["0x01"]},
}


def instance(component: str = "binary_sensor", **changes: Any) -> HomeAssistantAdapter:
    config = {key: value for key, value in {**ANNOUNCED, **changes}.items() if value is not ...}
    topic = f"homeassistant/{component}/c1/config"
    return HomeAssistantAdapter([(topic, json.dumps(config).encode())])


def test_an_instance_that_knows_the_announcement_reads_the_state_as_the_announced_device() -> None:
    adapter = instance()
    assert "house/door" in adapter.manifest.topics
    found = said(adapter, "house/door", {"contact": False})[0]
    assert isinstance(found, Reading)
    assert (found.type, found.native_id, found.kind) == ("door.opened", "0x01", "door_contact")
    assert words(adapter, "house/door", {"contact": True}) == ["door.closed"]


def test_announced_motion_happens_and_its_end_and_what_a_broker_kept_do_not() -> None:
    adapter = instance(device_class="motion", value_template=..., payload_on=..., payload_off=...)
    (found,) = said(adapter, "house/door", "ON")
    assert isinstance(found, Reading)
    assert (found.type, found.happened) == ("motion.detected", True)
    assert words(adapter, "house/door", "OFF") == []
    assert words(adapter, "house/door", "ON", retained=True) == []
    assert words(adapter, "house/door", "unavailable") == []


def test_an_announced_lock_says_its_own_words() -> None:
    adapter = instance("lock", value_template=..., state_locked="1", state_unlocked="0")
    assert words(adapter, "house/door", "1") == ["lock.locked"]
    assert words(adapter, "house/door", "JAMMED") == ["lock.jammed"]


@pytest.mark.parametrize(
    ("template", "payload", "clause"),
    [
        ("{{ value_json.contact }}", "{}", "HA-STATE"),
        ("{{ value_json.contact }}", "no JSON", "HA-STATE"),
        ("{{ value_json.contact }}", '{"contact":"half"}', "HA-STATE"),
        ("{{ value_json.contact == 'x' }}", '{"contact":true}', "HA-TEMPLATE"),
    ],
)
def test_a_state_that_the_announcement_does_not_explain_is_refused_by_its_clause(
    template: str, payload: str, clause: str
) -> None:
    with pytest.raises(Undecodable) as refused:
        said(instance(value_template=template), "house/door", payload)
    assert (refused.value.clause, refused.value.native_id) == (clause, "0x01")


@pytest.mark.parametrize(
    ("template", "payload", "found"),
    [
        ("{{ value }}", "ON", "ON"),
        ("{{value_json.a.b}}", '{"a":{"b":1}}', "1"),
        ("{{ value_json['a'][0] | upper }}", '{"a":["on"]}', "ON"),
        ('{{ value_json["x y"].z | trim }}', '{"x y":{"z":" a "}}', "a"),
        ("{{ value_json.a[3] }}", '{"a":[1]}', None),
        ("{{ value_json.a }}", '{"a":{"b":1}}', None),
        ("{{ value_json[0] }}", '{"a":1}', None),
    ],
)
def test_a_safe_template_is_a_path_and_no_more(template: str, payload: str, found: str | None) -> None:
    safe = compiled(template)
    assert safe is not None
    assert safe.value(payload) == found


@pytest.mark.parametrize(
    "template",
    [
        "{% if value %}ON{% endif %}",
        "{{ value_json.a + 1 }}",
        "{{ states('light.x') }}",
        "{{ value_json.__class__() }}",
        "{{ value.split(',')[0] }}",
        "{{ value | regex_replace('a', 'b') }}",
        "{{ value_json.a }}{{ value_json.b }}",
        "{{ value_json." + "a" * 300 + " }}",
    ],
)
def test_a_template_that_is_a_program_is_not_followed(template: str) -> None:
    assert compiled(template) is None


def test_an_announcement_on_another_topic_is_refused_when_the_instance_is_made() -> None:
    with pytest.raises(Undecodable, match="no configuration topic"):
        HomeAssistantAdapter([("house/door", b"{}")])
