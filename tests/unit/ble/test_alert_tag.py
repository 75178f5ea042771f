"""An alert tag as a session and on the virtual radio."""

from datetime import UTC, datetime, timedelta

import msgspec

from adapters.alerttag.session import ALERT_LOST, ALERT_NOW, BATTERY, KEY, PROFILE, AlertTagSession
from gateway.contract.gatt import (
    Cause,
    Disconnect,
    Fault,
    Hear,
    Link,
    Pair,
    Read,
    Refuse,
    Sent,
    Subscribe,
    WakeAt,
    Write,
)
from simulators.radio.devices.tag import HIGH_ALERT, NO_ALERT, AlertTag
from tests.unit.ble.ble_stage import House, listed, until
from tests.unit.radio.radio_stage import Stage, address, virtual

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TAG = "F0:00:00:00:00:0A"
ALL = frozenset({ALERT_NOW, ALERT_LOST, BATTERY, KEY})
TOPIC = f"ble/tag/{TAG}/command"


def command(do: str = "locate", topic_id: str = "c-1") -> bytes:
    return msgspec.json.encode({"id": topic_id, "do": do, "expires": "2026-11-23T12:01:00Z"})


def connected() -> AlertTagSession:
    session = AlertTagSession(TAG)
    session.signal(-61, NOW)
    session.connected(Link(room=20, characteristics=ALL), NOW)
    return session


def test_a_tag_is_told_as_connected_read_and_listened_to() -> None:
    session = AlertTagSession(TAG)
    session.signal(-61, NOW)

    assert session.connected(Link(room=20, characteristics=ALL), NOW) == [
        Hear(f"ble/tag/{TAG}/link", b'{"state":"connected","rssi_dbm":-61}'),
        Write(ALERT_LOST, b"\x00"),
        Read(BATTERY),
        Subscribe(BATTERY),
        Subscribe(KEY),
    ]


def test_a_press_and_a_charge_are_heard_as_they_come() -> None:
    session = connected()

    assert session.value(KEY, b"\x01", NOW) == [Hear(f"ble/tag/{TAG}/alert", b"\x01")]
    assert session.done(Read(BATTERY), b"\x51", NOW) == [Hear(f"ble/tag/{TAG}/battery", b"\x51")]
    assert session.value(ALERT_NOW, b"\x01", NOW) == []


def test_a_lost_link_is_told_and_one_that_we_ended_is_not() -> None:
    session = connected()

    assert session.disconnected(NOW, ours=True) == []
    session.connected(Link(room=20, characteristics=ALL), NOW)
    assert session.disconnected(NOW, ours=False) == [Hear(f"ble/tag/{TAG}/link", b'{"state":"lost"}')]
    assert session.disconnected(NOW, ours=False) == []


def test_locate_lets_it_beep_for_a_while_and_is_answered() -> None:
    session = connected()
    orders = session.outward(TOPIC, command(), NOW)
    assert orders == [Write(ALERT_NOW, b"\x02", response=False, note=1)]
    assert not session.idle

    assert session.done(orders[0], b"", NOW) == [
        Sent(TOPIC, command()),
        Hear(f"ble/tag/{TAG}/result", b'{"id":"c-1","outcome":"done"}'),
        WakeAt(NOW + timedelta(seconds=10)),
    ]
    assert session.tick(NOW) == [Write(ALERT_NOW, b"\x00", response=False)]
    assert session.idle


def test_a_command_that_a_tag_cannot_do_is_rejected() -> None:
    orders = connected().outward(TOPIC, command("unlock"), NOW)

    assert orders == [
        Sent(TOPIC, command("unlock")),
        Hear(f"ble/tag/{TAG}/result", b'{"id":"c-1","outcome":"rejected"}'),
    ]
    assert connected().outward("ble/tag/F0:00:00:00:00:0B/command", command(), NOW) is None


def test_a_tag_that_asks_for_a_bond_gets_one_and_one_that_refuses_it_is_refused() -> None:
    session = connected()
    secure, no = Fault(Cause.SECURITY, "0x05"), Fault(Cause.REFUSED, "no")

    assert session.failed(Subscribe(KEY), secure, NOW) == [Pair(), Subscribe(KEY)]
    assert session.failed(Pair(), no, NOW) == [Refuse("bonding refused: no")]
    assert [type(one) for one in session.failed(Subscribe(KEY), no, NOW)] == [Disconnect]
    assert session.failed(Read(BATTERY), no, NOW) == []


def test_what_has_neither_alert_is_no_tag() -> None:
    orders = AlertTagSession(TAG).connected(Link(room=20, characteristics=frozenset({BATTERY})), NOW)

    assert [type(order) for order in orders] == [Refuse]
    assert PROFILE.stays


@virtual
async def test_a_tag_on_the_air_is_pressed_located_lost_and_found() -> None:
    async with Stage() as stage:
        tag = await stage.add(AlertTag(stage.host(1), "TAG-1"))
        async with House(stage, listed(1, profile="alerttag")) as house:
            heard = house.disk.frames
            await until(lambda: any(frame.channel.endswith("/battery") for frame in heard))
            await until(lambda: house.standing.connected == 1)
            await tag.press()
            await until(lambda: any(frame.channel.endswith("/alert") for frame in heard))
            topic = f"ble/tag/{address(1)}/command"
            assert await house.transport.publish(topic, command(), retain=False) == 1
            await until(lambda: tag.alerting == HIGH_ALERT)
            await until(lambda: tag.alerting == NO_ALERT)
            stage.away()
            await until(lambda: heard[-1].payload == b'{"state":"lost"}')
            assert await house.transport.publish(topic, command(), retain=False) == 0
            stage.back()
            await until(lambda: heard[-1].payload != b'{"state":"lost"}')
            told = len(heard)
        assert [frame.payload for frame in heard[told:]] == [], "a gateway that stops has lost no link"
