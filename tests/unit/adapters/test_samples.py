"""The traps of the three foreign families, as their users met them: one reader's expectation of each."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.nuki import ADAPTER as NUKI
from adapters.owntracks import ADAPTER as OWNTRACKS
from adapters.zigbee2mqtt import ADAPTER as ZIGBEE2MQTT
from gateway.contract import Adapter
from gateway.model.event import flat_values
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Reading
from gateway.model.vocabulary import DeviceKind, LockValues, Means

RECEIVED = datetime(2026, 2, 3, 20, 15, tzinfo=UTC)
HUB = '{"lock_state":"locked","trigger":"manual","last_lock_action":"Unlatch","auth_id":0,"auth_name":"@?"}'
MANUAL_UNLOCK = (
    '{"action":"manual_unlock","action_source":2,"action_source_name":"manual","action_user":65535,'
    '"battery":70,"last_seen":"2025-08-07T22:10:54+00:00","lock_state":"locked","state":"LOCK"}'
)


def first(adapter: Adapter, topic: str, payload: str | bytes, *, retained: bool = False) -> Reading:
    raw = payload if isinstance(payload, bytes) else payload.encode()
    item = adapter.decode(Frame(Transport.MQTT, topic, raw, RECEIVED, retained=retained))[0]
    assert isinstance(item, Reading)
    return item


@pytest.mark.parametrize(
    ("adapter", "topic", "payload", "word", "native_id", "kind", "occurred_at", "values"),
    [
        pytest.param(
            NUKI, "nuki/AABBCC99/lockActionEvent", "3,0,54321,12345,1",
            "lock.unlatched", "AABBCC99", "lock", None,
            {"lock_action": 3, "trigger": 0, "auth_id": 54321, "code_id": 12345, "keypad_source": "code"},
            id="025-keypad-unlatch",
        ),
        pytest.param(
            NUKI, "nuki/AABBCC99/connected", "false",
            "device.offline", "AABBCC99", "lock", None, {"connected": False},
            id="030-disconnected",
        ),
        pytest.param(
            NUKI, "nuki/lock/json", HUB.replace("@", "\ufffd\ufffd"),
            "lock.locked", "nuki", "lock", None,
            {"trigger": "manual", "last_lock_action": "Unlatch", "auth_id": 0},
            id="031-replacement-characters",
        ),
        pytest.param(
            NUKI, "nuki/lock/json", HUB.encode().replace(b"@", b"\x8f\xf2"),
            "lock.locked", "nuki", "lock", None,
            {"trigger": "manual", "last_lock_action": "Unlatch", "auth_id": 0},
            id="031-raw-bytes",
        ),
        pytest.param(
            ZIGBEE2MQTT, "zigbee2mqtt/0x002446fffd038aa7", MANUAL_UNLOCK,
            "lock.unlocked", "0x002446fffd038aa7", "lock", "2025-08-07T22:10:54+00:00",
            {"method": "manual", "action_user": 65535, "battery_percent": 70,
             "lock_state_reported": "locked"},
            id="032-manual-unlock-stale-state",
        ),
        pytest.param(
            ZIGBEE2MQTT, "zigbee2mqtt/serrure_porte_avant",
            '{"action_user":null,"battery":70,"lock_state":"not_fully_locked","pin_code":null,"state":"UNLOCK"}',
            "lock.not_fully_locked", "serrure_porte_avant", "lock", None, {"battery_percent": 70},
            id="035-jam",
        ),
        pytest.param(
            ZIGBEE2MQTT, "zigbee2mqtt/backgate",
            '{"battery":60,"battery_low":false,"contact":false,"tamper":false,"voltage":2900}',
            "door.opened", "backgate", "door_contact", None, {"battery_percent": 60, "voltage_mv": 2900},
            id="036-contact",
        ),
        pytest.param(
            ZIGBEE2MQTT, "zigbee2mqtt/FRIENDLY_NAME", '{"occupancy": true}',
            "motion.detected", "FRIENDLY_NAME", "motion_sensor", None, {"occupancy": True},
            id="038-motion",
        ),
        pytest.param(
            ZIGBEE2MQTT, "zigbee2mqtt/bridge/state", "offline",
            "device.offline", "zigbee2mqtt", "gateway", None, {},
            id="040-bridge-offline",
        ),
        pytest.param(
            OWNTRACKS, "owntracks/jane/nokia",
            '{"_type":"location","SSID":"mywifi","alt":154,"batt":53,"created_at":1706856299,'
            '"lat":48.856826,"lon":2.292713,"tst":1706856298,"vel":0}',
            "position.update", "jane/nokia", "gps_tracker", "2024-02-02T06:44:58+00:00",
            {"latitude": 48.856826, "longitude": 2.292713, "altitude_m": 154, "battery_percent": 53,
             "speed_kmh": 0},
            id="045-location",
        ),
        pytest.param(
            OWNTRACKS, "owntracks/jane/phone/event",
            '{"_type":"transition","desc":"My favorite coffee shop (Delaville)","event":"enter",'
            '"lat":48.87069,"lon":2.34916,"rid":"f7676c","tst":1707057574,"wtst":1610104395}',
            "geofence.enter", "jane/phone", "gps_tracker", "2024-02-04T14:39:34+00:00",
            {"geofence": "My favorite coffee shop (Delaville)", "latitude": 48.87069, "longitude": 2.34916,
             "rid": "f7676c"},
            id="046-transition",
        ),
        pytest.param(
            OWNTRACKS, "owntracks/jane/phone", '{"_type":"lwt","tst":1380738247}',
            "device.offline", "jane/phone", "gps_tracker", None,
            {"connected_since": "2013-10-02T18:24:07Z"},
            id="048-last-will",
        ),
    ],
)  # fmt: skip
def test_a_published_payload_gives_what_its_reader_expects(  # noqa: PLR0913 - one argument a column of the table
    *,
    adapter: Adapter,
    topic: str,
    payload: str | bytes,
    word: str,
    native_id: str,
    kind: str,
    occurred_at: str | None,
    values: dict[str, Any],
) -> None:
    reading = first(adapter, topic, payload)
    assert (reading.type, reading.native_id, reading.kind.value) == (word, native_id, kind)
    assert reading.occurred_at == (datetime.fromisoformat(occurred_at) if occurred_at else None)
    found = flat_values(reading.values)
    assert {name: found.get(name) for name in values} == values


def test_the_contradicting_state_stands_behind_the_action_as_a_mere_level() -> None:
    frame = Frame(Transport.MQTT, "zigbee2mqtt/lock", MANUAL_UNLOCK.encode(), RECEIVED)
    action, level, *_ = (item for item in ZIGBEE2MQTT.decode(frame) if isinstance(item, Reading))
    assert (action.type, action.happened) == ("lock.unlocked", True)
    assert (level.type, level.happened) == ("lock.locked", False)


def test_a_contact_that_is_true_is_a_closed_door() -> None:
    assert first(ZIGBEE2MQTT, "zigbee2mqtt/d", '{"contact":true}').type == "door.closed"


@pytest.mark.parametrize(
    ("source", "means"),
    [("keypad", Means.CODE), ("rfid", Means.TAG), ("rf", Means.REMOTE), ("martian", Means.UNKNOWN)],
)
def test_the_source_of_a_lock_action_becomes_the_means(source: str, means: Means) -> None:
    values = first(
        ZIGBEE2MQTT, "zigbee2mqtt/d", f'{{"action":"unlock","action_source_name":"{source}"}}'
    ).values
    assert isinstance(values, LockValues)
    assert values.means is means


def test_a_switch_state_alone_tells_the_lock_state() -> None:
    assert first(ZIGBEE2MQTT, "zigbee2mqtt/d", '{"state":"LOCK"}').type == "lock.locked"


def test_a_lock_tells_its_door_too() -> None:
    payload = b'{"lock_state":"locked","door_state":"open"}'
    items = ZIGBEE2MQTT.decode(Frame(Transport.MQTT, "zigbee2mqtt/d", payload, RECEIVED))
    assert [item.type for item in items if isinstance(item, Reading)] == ["lock.locked", "door.opened"]


def test_other_base_topics_are_other_installations() -> None:
    from adapters.nuki import NukiAdapter
    from adapters.zigbee2mqtt import Zigbee2MqttAdapter

    house = Zigbee2MqttAdapter("house/zigbee")
    assert house.manifest.topics == ("house/zigbee/#",)
    bridge = first(house, "house/zigbee/bridge/state", "offline")
    assert (bridge.native_id, bridge.kind) == ("house/zigbee", DeviceKind.GATEWAY)
    hub = NukiAdapter("frontdoor")
    assert hub.manifest.topics == ("nuki/#", "frontdoor/#")
    assert first(hub, "frontdoor/lock/json", '{"lock_state":"unlatched"}').native_id == "frontdoor"
    assert first(hub, "nuki/AABBCC99/state", "1").native_id == "AABBCC99"
