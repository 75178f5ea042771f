"""The Vaka profile as a session, without a radio and without a clock."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.vaka import gatt
from adapters.vaka.gatt import BrokenValueError, Joiner, current_time, fragments
from adapters.vaka.session import PROFILE, VakaSession
from adapters.vaka.window import MAX_WAITING, Window
from gateway.contract.gatt import (
    Advertisement,
    Bind,
    Cause,
    Disconnect,
    Fault,
    Hear,
    Link,
    Order,
    Pair,
    Read,
    Refuse,
    Sent,
    Subscribe,
    Write,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ALL = frozenset(
    {
        gatt.EVENT, gatt.ACKNOWLEDGE, gatt.STATE, gatt.COMMAND, gatt.RESULT, gatt.CONFIG, gatt.BATTERY_LEVEL,
        gatt.CURRENT_TIME, *gatt.DEVICE_INFORMATION,
    }
)  # fmt: skip
ADDRESS = "F0:00:00:00:00:01"
LOCK = "solna/lock-7"
TOPIC = "vaka/1/solna/lock-7/command"


def event(sequence: int, **more: Any) -> bytes:
    fields = {
        "specversion": "1.0",
        "id": f"e-{sequence}",
        "type": "vaka.lock.locked.v1",
        "sequence": sequence,
    }
    return cbor2.dumps({**fields, "time": "2026-11-23T12:00:00Z", **more})


def state(**more: Any) -> bytes:
    return cbor2.dumps({"state": "online", "device": LOCK, "backlog": 0, "next": 1, **more})


def whole(value: bytes) -> bytes:
    return b"\x80" + value


class Talk:
    """A session and what it ordered; requests are answered as a device would."""

    def __init__(self, identity: str = "", room: int = 244, said: bytes | None = None) -> None:
        self.session = VakaSession(ADDRESS, identity)
        self.link = Link(room=room, characteristics=ALL)
        self.said = state() if said is None else said
        self.orders: list[Order] = []

    def greet(self) -> "Talk":
        self.obey(self.session.connected(self.link, NOW))
        return self

    def obey(self, orders: Sequence[Order] | None) -> list[Order]:
        """Note the orders and answer the requests among them; acknowledgements are left unanswered."""
        for order in orders or ():
            self.orders.append(order)
            if isinstance(order, Read):
                known = {gatt.STATE: self.said, gatt.BATTERY_LEVEL: b"\x51"}
                self.obey(self.session.done(order, known.get(order.characteristic, b"Maker"), NOW))
            elif isinstance(order, Pair | Subscribe) or (
                isinstance(order, Write) and order.characteristic != gatt.ACKNOWLEDGE
            ):
                self.obey(self.session.done(order, b"", NOW))
        return list(orders or ())

    def event(self, *sequences: int) -> list[Hear]:
        heard: list[Hear] = []
        for sequence in sequences:
            orders = self.obey(self.session.value(gatt.EVENT, whole(event(sequence)), NOW))
            heard += [order for order in orders if isinstance(order, Hear)]
        return heard

    def stored(self, *heard: Hear) -> list[Order]:
        return self.obey(self.session.stored([one.token for one in heard], NOW))

    def of(self, kind: type) -> list[Any]:
        return [order for order in self.orders if isinstance(order, kind)]


def acknowledged(orders: Sequence[Order]) -> list[int]:
    return [
        int.from_bytes(order.payload, "little")
        for order in orders
        if isinstance(order, Write) and order.characteristic == gatt.ACKNOWLEDGE
    ]


def test_the_greeting_reads_bonds_names_sets_the_clock_and_listens_to_events_last() -> None:
    talk = Talk().greet()
    asked = [order for order in talk.orders if not isinstance(order, Hear)]

    assert asked == [
        *(Read(one) for one in gatt.DEVICE_INFORMATION),
        Pair(),
        Read(gatt.STATE),
        Bind(LOCK),
        Write(gatt.CURRENT_TIME, current_time(NOW)),
        Read(gatt.BATTERY_LEVEL),
        Subscribe(gatt.STATE),
        Subscribe(gatt.RESULT),
        Subscribe(gatt.EVENT),
    ]
    assert [hear.channel for hear in talk.of(Hear)] == [
        "ble/vaka/1/solna/lock-7/status",
        "ble/vaka/1/solna/lock-7/link",
    ]
    assert talk.of(Hear)[0].payload == talk.said


def test_the_clock_is_told_in_utc_as_the_standard_has_it() -> None:
    moment = datetime(2026, 11, 23, 13, 4, 5, 500_000, tzinfo=UTC)

    assert current_time(moment) == bytes([0xEA, 0x07, 11, 23, 13, 4, 5, 1, 128, 0])


def test_an_event_is_heard_exactly_as_sent_and_acknowledged_once_stored() -> None:
    talk = Talk().greet()
    heard = talk.event(1)

    assert heard[0].payload == event(1)
    assert heard[0].channel == "ble/vaka/1/solna/lock-7/event"
    assert acknowledged(talk.orders) == []
    assert acknowledged(talk.stored(*heard)) == [1]


def test_what_is_stored_out_of_order_is_acknowledged_only_up_to_the_first_gap() -> None:
    talk = Talk().greet()
    one, two, three = talk.event(1, 2, 3)

    assert acknowledged(talk.stored(three)) == []
    assert acknowledged(talk.stored(two)) == []
    assert acknowledged(talk.stored(one)) == [3]


def test_one_acknowledgement_is_under_way_at_a_time_and_the_next_has_the_highest() -> None:
    talk = Talk().greet()
    one, two, three = talk.event(1, 2, 3)
    first = talk.stored(one)

    assert acknowledged(first) == [1]
    assert talk.stored(two) == []
    assert talk.stored(three) == []
    assert acknowledged(talk.session.done(first[0], b"", NOW)) == [3]  # type: ignore[arg-type]


def test_a_repeated_event_that_waits_is_not_heard_twice_and_a_later_repeat_is() -> None:
    talk = Talk().greet()
    heard = talk.event(1)

    assert talk.event(1) == []
    talk.stored(*heard)
    assert [hear.payload for hear in talk.event(1)] == [event(1)]


def test_a_disconnection_between_indication_and_acknowledgement_brings_the_event_again() -> None:
    talk = Talk().greet()
    heard = talk.event(1)
    talk.session.disconnected(NOW, ours=False)

    assert talk.stored(*heard) == []
    talk.greet()
    again = talk.event(1)
    assert again[0].payload == event(1)
    assert again[0].token != heard[0].token
    assert talk.stored(*heard) == []
    assert acknowledged(talk.stored(*again)) == [1]


def test_a_lost_fragment_ends_the_link_so_that_nothing_later_is_acknowledged_past_it() -> None:
    talk = Talk(room=20).greet()
    parts = list(fragments(event(1), 20))
    orders: list[Order] = []
    for part in (parts[0], *parts[2:]):
        orders += talk.session.value(gatt.EVENT, part, NOW)
        if orders:
            break

    assert isinstance(orders[0], Disconnect)
    assert "a value was lost" in orders[0].why


def test_a_value_in_fragments_is_joined() -> None:
    talk = Talk(room=20).greet()
    heard = [order for part in fragments(event(1), 20) for order in talk.session.value(gatt.EVENT, part, NOW)]

    assert [one.payload for one in heard if isinstance(one, Hear)] == [event(1)]


def test_a_lost_fragment_of_state_costs_that_state_only() -> None:
    talk = Talk().greet()

    assert talk.session.value(gatt.STATE, b"\x03abc", NOW) == []
    assert len(talk.session.value(gatt.STATE, whole(state()), NOW)) == 1


def test_an_event_that_cannot_be_read_is_heard_as_it_is_and_does_not_stop_the_next() -> None:
    talk = Talk().greet()
    noise = talk.session.value(gatt.EVENT, whole(b"\xff\xff"), NOW)
    heard = talk.event(2)

    assert [one.payload for one in noise if isinstance(one, Hear)] == [b"\xff\xff"]
    assert acknowledged(talk.stored(*heard)) == []
    assert acknowledged(talk.stored(noise[0])) == [2]  # type: ignore[arg-type]


def test_a_beginning_after_the_oldest_waiting_event_is_not_acknowledged() -> None:
    talk = Talk(said=state(backlog=3, next=4)).greet()
    orders = talk.session.value(gatt.EVENT, whole(event(5)), NOW)

    assert orders == [Disconnect("it began at event 5, though 4 waits")]


def test_a_device_that_sends_without_end_is_let_go() -> None:
    talk = Talk().greet()
    talk.event(*range(1, MAX_WAITING + 1))
    orders = talk.session.value(gatt.EVENT, whole(event(99)), NOW)

    assert [type(order) for order in orders] == [Disconnect]


@pytest.mark.parametrize("cause", [Cause.REFUSED, Cause.SECURITY])
def test_a_refused_bond_leaves_nothing_but_device_information_read(cause: Cause) -> None:
    session = VakaSession(ADDRESS)
    asked = session.connected(Link(room=244, characteristics=ALL), NOW)

    assert asked == [*(Read(one) for one in gatt.DEVICE_INFORMATION), Pair()]
    refused = session.failed(Pair(), Fault(cause, "not now"), NOW)
    assert refused == [Refuse("bonding refused: not now")]
    assert session.value(gatt.EVENT, whole(event(1)), NOW) == []


def test_a_forgotten_bond_is_refused_as_such() -> None:
    session = VakaSession(ADDRESS, LOCK)
    session.connected(Link(room=244, characteristics=ALL), NOW)
    session.done(Pair(), b"", NOW)
    orders = session.failed(Read(gatt.STATE), Fault(Cause.SECURITY, "0x0F"), NOW)

    assert orders == [Refuse("the device no longer knows its bond: 0x0F", forgotten=True)]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (state(device="solna/lock-8"), "another device than solna/lock-7"),
        (state(device="lock-7"), "names no {tenant}/{device}"),
        (state(device="solna/+"), "names no {tenant}/{device}"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_state_that_is_not_the_bonded_device_is_heard_and_refused(said: bytes, why: str) -> None:
    talk = Talk(LOCK, said=said).greet()

    assert [hear.payload for hear in talk.of(Hear)] == [said]
    assert why in talk.of(Refuse)[0].why
    assert talk.event(1) == []
    assert talk.of(Subscribe) == []


def test_a_device_without_the_service_is_refused() -> None:
    orders = VakaSession(ADDRESS).connected(Link(room=20, characteristics=frozenset({gatt.STATE})), NOW)

    assert [type(order) for order in orders] == [Refuse]


def test_a_device_that_keeps_no_time_is_heard_all_the_same() -> None:
    session = Talk().greet().session
    request = Write(gatt.CURRENT_TIME, b"")

    assert session.failed(request, Fault(Cause.REFUSED, "0xFC"), NOW) == []


def test_a_command_is_written_in_fragments_and_told_as_sent_with_the_last() -> None:
    talk = Talk(room=20).greet()
    payload = msgspec.json.encode({"id": "c-1", "do": "unlock", "expires": "2026-11-23T12:01:00Z"})
    orders = talk.obey(talk.session.outward(TOPIC, payload, NOW))
    joiner = Joiner()
    values = [joiner.take(order.payload) for order in orders if isinstance(order, Write)]

    assert cbor2.loads(values[-1] or b"") == msgspec.json.decode(payload)
    assert values[:-1] == [None] * (len(values) - 1)
    assert talk.of(Sent) == [Sent(TOPIC, payload)]


def test_a_message_for_another_device_or_before_the_greeting_is_not_taken() -> None:
    talk = Talk()

    assert talk.session.outward(TOPIC, b"{}", NOW) is None
    talk.greet()
    assert talk.session.outward("vaka/1/solna/lock-8/command", b"{}", NOW) is None
    assert talk.session.outward(TOPIC, b"no json", NOW) is None
    assert talk.session.outward(TOPIC, b'{"id":"' + b"x" * 5000 + b'"}', NOW) is None


def test_a_configuration_that_the_device_has_already_is_not_written() -> None:
    talk = Talk(said=state(config_revision=3)).greet()
    topic = "vaka/1/solna/lock-7/config"

    assert talk.session.outward(topic, b'{"revision":3}', NOW) == [Sent(topic, b'{"revision":3}')]
    newer = talk.session.outward(topic, b'{"revision":4}', NOW)
    assert newer is not None
    assert [type(order) for order in newer] == [Write]


def test_the_signal_is_told_at_most_once_a_minute() -> None:
    talk = Talk().greet()
    later = NOW + timedelta(seconds=61)

    assert talk.session.signal(-60, NOW + timedelta(seconds=59)) == []
    told = talk.session.signal(-70, later)
    assert isinstance(told[0], Hear)
    assert cbor2.loads(told[0].payload)["rssi_dbm"] == -70
    assert talk.session.signal(-71, later) == []


def test_a_link_is_idle_only_when_all_of_the_backlog_is_acknowledged() -> None:
    talk = Talk(said=state(backlog=1, next=1)).greet()
    assert not talk.session.idle
    heard = talk.event(1)
    assert not talk.session.idle
    write = talk.stored(*heard)
    assert not talk.session.idle
    talk.session.done(write[0], b"", NOW)  # type: ignore[arg-type]
    assert talk.session.idle


def test_the_profile_knows_its_own_by_the_service() -> None:
    assert PROFILE.claims(Advertisement(address=ADDRESS, rssi_dbm=-50, service_uuids=(gatt.SERVICE,)))
    assert not PROFILE.claims(Advertisement(address=ADDRESS, rssi_dbm=-50))
    assert PROFILE.inbox(TOPIC) == LOCK
    assert PROFILE.inbox("vaka/1/solna/lock-7/event") == ""


@given(st.binary(max_size=4096), st.integers(min_value=2, max_value=512))
@settings(max_examples=200, deadline=500, derandomize=True)
def test_whatever_is_cut_is_joined_again(value: bytes, room: int) -> None:
    joiner = Joiner()
    parts = list(fragments(value, room))

    assert all(len(part) <= room for part in parts)
    assert [joiner.take(part) for part in parts] == [None] * (len(parts) - 1) + [value]


@given(st.lists(st.binary(max_size=30), max_size=30))
@settings(max_examples=200, deadline=500, derandomize=True)
def test_noise_instead_of_fragments_is_refused_or_joined(parts: list[bytes]) -> None:
    joiner = Joiner()
    for part in parts:
        try:
            joiner.take(part)
        except BrokenValueError:
            joiner.clear()


def test_a_value_without_end_is_refused() -> None:
    joiner = Joiner()
    for number in range(4096):
        assert joiner.take(bytes([number % 128])) is None
    with pytest.raises(BrokenValueError):
        joiner.take(bytes([0]))


@given(st.permutations(range(8)), st.lists(st.booleans(), min_size=8, max_size=8))
@settings(max_examples=200, deadline=500, derandomize=True)
def test_in_whatever_order_the_disk_answers_no_acknowledgement_passes_an_unstored_event(
    order: list[int], readable: list[bool]
) -> None:
    window = Window()
    tokens = [window.add(place + 10 if readable[place] else None, bytes([place])) for place in range(8)]
    stored: set[int] = set()
    for place in order:
        stored.add(place)
        highest = window.stored([tokens[place]])
        if highest is not None:
            assert set(range(highest - 10 + 1)) <= stored
    assert len(window) == 0


class Inputs:
    """Anything that a device, a radio and a disk may do."""

    any = st.one_of(
        st.tuples(st.just("connected"), st.frozensets(st.sampled_from(sorted(ALL)))),
        st.tuples(st.just("done"), st.binary(max_size=60)),
        st.tuples(st.just("failed"), st.sampled_from(list(Cause))),
        st.tuples(st.just("value"), st.tuples(st.sampled_from(sorted(ALL)), st.binary(max_size=60))),
        st.tuples(st.just("event"), st.integers(0, 20)),
        st.tuples(st.just("stored"), st.integers(0, 20)),
        st.tuples(st.just("outward"), st.binary(max_size=20)),
        st.tuples(st.just("signal"), st.integers(-128, 127)),
        st.tuples(st.just("disconnected"), st.booleans()),
    )


@given(st.lists(Inputs.any, max_size=40))
@settings(max_examples=300, deadline=1000, derandomize=True)
def test_whatever_happens_a_session_stands_and_acknowledges_only_what_was_stored(inputs: list[Any]) -> None:
    session = VakaSession(ADDRESS)
    requests: list[Any] = []
    tokens: dict[int, int] = {}
    safe = {0}
    for kind, value in inputs:
        orders = act(session, kind, value, requests, tokens, safe)
        requests += [one for one in orders if isinstance(one, Pair | Read | Subscribe | Write)]
        for order in orders:
            if isinstance(order, Hear) and order.token and kind == "event":
                tokens[order.token] = value
        assert set(acknowledged(orders)) <= safe


def act(  # noqa: PLR0911, PLR0917 - one step of the test above, whatever it is
    session: VakaSession, kind: str, value: Any, requests: list[Any], tokens: dict[int, int], safe: set[int]
) -> Sequence[Order]:
    if kind == "connected":
        requests.clear()
        return session.connected(Link(room=20, characteristics=value | gatt.NEEDED), NOW)
    if kind in ("done", "failed"):
        if not requests:
            return []
        request = requests.pop(0)
        if kind == "failed":
            return session.failed(request, Fault(value, "no"), NOW)
        read_state = isinstance(request, Read) and request.characteristic == gatt.STATE
        return session.done(request, state() if read_state else value, NOW)
    if kind == "value":
        return session.value(value[0], value[1], NOW)
    if kind == "event":
        return session.value(gatt.EVENT, whole(event(value)), NOW)
    if kind == "stored":
        safe |= {tokens[value]} if value in tokens else set()
        return session.stored([value], NOW)
    if kind == "outward":
        return session.outward(TOPIC, value, NOW) or []
    if kind == "signal":
        return session.signal(value, NOW)
    requests.clear()
    return session.disconnected(NOW, ours=value)
