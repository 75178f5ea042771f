from datetime import UTC, datetime
from random import Random

import mqtt5
import msgspec
import pytest

from gateway.config import BrokerSettings
from gateway.contract import ConfigurationError
from gateway.model.vocabulary import BY_WIRE
from gateway.transports.mqtt_client.dialling import FIRST_WAIT_S, Backoff, address
from gateway.transports.mqtt_client.packets import (
    QOS2,
    acknowledgements,
    checked_filters,
    connect_packet,
    status_packet,
    status_topic,
)
from gateway.transports.mqtt_client.refusals import disconnected, refused
from gateway.transports.mqtt_codec import MQTT_5, MQTT_311, PacketReader

NOW = datetime(2026, 3, 1, 22, 15, tzinfo=UTC)


def settings(**changes: object) -> BrokerSettings:
    return BrokerSettings.model_validate({"name": "main", "url": "mqtt://broker.example.org"} | changes)


@pytest.mark.parametrize("level", [MQTT_5, MQTT_311])
def test_joined_acknowledgements_are_packets_of_both_levels(level: int) -> None:
    read = PacketReader(level, 1000).feed(acknowledgements([1, 0, 65535, 7 | QOS2]))
    assert [(type(packet), packet.packet_id) for packet in read] == [  # type: ignore[union-attr]
        (mqtt5.PubAckPacket, 1),
        (mqtt5.PubAckPacket, 65535),
        (mqtt5.PubRecPacket, 7),
    ]


def test_only_qos_0_needs_no_write() -> None:
    assert acknowledgements([0, 0]) == b""


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("mqtt://broker.example.org", ("broker.example.org", 1883)),
        ("mqtts://broker.example.org", ("broker.example.org", 8883)),
        ("mqtt://127.0.0.1:1884", ("127.0.0.1", 1884)),
        ("mqtts://[::1]:8884", ("::1", 8884)),
    ],
)
def test_an_address_without_a_port_gets_the_usual_one(url: str, found: tuple[str, int]) -> None:
    assert address(settings(url=url)) == found


@pytest.mark.parametrize("pattern", ["", "a/#/b", "a#", "a/b+", "+a/b", "nul\0", "x" * 65536])
def test_a_filter_that_mqtt_forbids_is_a_configuration_error(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match="broker main: topics"):
        checked_filters("main", ("good/#", pattern))


def test_filters_are_asked_for_once_each() -> None:
    assert checked_filters("main", ("a/#", "+/b", "#", "a/#", "/", "$SYS/x")) == (
        "a/#",
        "+/b",
        "#",
        "/",
        "$SYS/x",
    )


def test_a_client_id_with_topic_signs_still_makes_one_level() -> None:
    assert status_topic("site/+#1") == "vaka/1/gateway/site---1/status"


def test_the_will_says_lost_without_a_time_it_cannot_know() -> None:
    will = connect_packet(settings(client_id="gw"), NOW).will
    assert will is not None
    assert (will.topic, will.retain, int(will.qos)) == ("vaka/1/gateway/gw/status", True, 1)
    event = msgspec.json.decode(will.payload or b"")
    assert BY_WIRE[event["type"]].name == "device.offline"
    assert (event["data"], event["clockquality"]) == ({"code": "connection_lost"}, "none")
    assert "time" not in event


def test_the_status_of_the_gateway_is_an_event_of_the_interface() -> None:
    packet = status_packet(settings(client_id="gw"), 1, "online", "connected", NOW)
    event = msgspec.json.decode(packet.payload)
    assert BY_WIRE[event["type"]].name == "device.online"
    assert (event["specversion"], event["source"]) == ("1.0", "vaka/1/gateway/gw")
    assert event["time"] == "2026-03-01T22:15:00+00:00"
    assert (packet.retain, int(packet.qos), packet.packet_id) == (True, 1, 1)


def test_waits_grow_to_the_limit_and_no_further() -> None:
    random = Random(7)
    waits = [[backoff.next_s() for _ in range(12)] for backoff in (Backoff(30, random) for _ in range(200))]
    assert max(first for first, *_ in waits) <= FIRST_WAIT_S
    assert all(0 <= wait <= 30 for run in waits for wait in run)
    assert max(run[-1] for run in waits) > 25
    assert min(run[-1] for run in waits) < 5, "full jitter: a crowd of gateways must not come at once"


def test_a_rival_is_waited_out_at_least_half_the_limit() -> None:
    backoff = Backoff(30, Random(7))
    assert all(15 <= backoff.rival_s() <= 30 for _ in range(100))


@pytest.mark.parametrize("code", [name for name in vars(mqtt5.ConnAckReasonCode) if name.isupper()])
def test_every_refusal_is_said_in_words(code: str) -> None:
    packet = mqtt5.ConnAckPacket(reason_code=getattr(mqtt5.ConnAckReasonCode, code), reason_str="no\nroom")
    why = refused(packet).why
    assert why.startswith("the broker refused the connection: ")
    assert "\n" not in why


def test_a_session_taken_over_names_the_client_id() -> None:
    code = mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER
    ending = disconnected(mqtt5.DisconnectPacket(reason_code=code), settings(client_id="gw-7"))
    assert ending.rival
    assert "'gw-7'" in ending.why
    code = mqtt5.DisconnectReasonCode.SERVER_SHUTTING_DOWN
    ending = disconnected(mqtt5.DisconnectPacket(reason_code=code), settings())
    assert (ending.rival, ending.why) == (False, "the broker ended the connection: server shutting down")
