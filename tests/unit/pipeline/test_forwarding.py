"""What a home edge passes on: the frame as it was heard, once, for its own home, in every order."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import Changes, Snapshot
from gateway.model.event import Event
from gateway.model.forwarded import MAX_FORWARDED_BYTES, forwarded, hop_of, numbered, read_forwarded
from gateway.model.frame import MAX_PAYLOAD_BYTES, Frame, Transport
from gateway.model.registry import RegistryDocument
from gateway.model.trace import Verdict
from gateway.pipeline.decode import decode
from gateway.pipeline.edges import WINDOW, Edges
from gateway.plugins import load_adapters, urgency
from tests.unit.pipeline.town import LOCK, START, Town, document

EDGE, EPOCH = "t/edge-1", "0123456789abcdef"
FAR = "t/lock-far"


def town_with_edge() -> Town:
    town = Town()
    base = json.loads(document().to_json())
    for name, kind, home, via in (
        (EDGE, "gateway", "h1", None),
        (FAR, "lock", "h2", None),
        ("t/lock-hall", "lock", "h2", EDGE),
        ("t/bulb", "button", "h1", None),
    ):
        device = {"id": name, "tenant": "t", "adapter": "vaka", "native_id": name, "kind": kind}
        base["device"].append(device | ({"via": via} if via else {}))
        base["enrolment"].append({"device": name, "home": home, "since": START.isoformat()})
    base["home"].append(base["home"][0] | {"id": "h2"})
    town.take(Transport.REGISTRY, "registry", RegistryDocument.of(base).to_json())
    assert not town.state.changes.refusals
    return town


def said(word: str = "lock.unlocked", *, at: datetime | None = None, id_: str = "1") -> bytes:
    event = {"specversion": "1.0", "id": id_, "type": f"vaka.{word}.v1", "data": {}}
    return json.dumps(event | {"time": (at or START).isoformat(), "clockquality": "synced"}).encode()


def heard(device: str, payload: bytes, branch: str = "event", **flags: Any) -> Frame:
    channel = f"vaka/1/{device}/{branch}"
    return Frame(Transport.MQTT, channel, payload, START, ingress="listener", source=device, **flags)


def envelope(
    frame: Frame, number: int = 1, *, at: datetime = START, synced: bool = True, high: bool = False
) -> bytes:
    return forwarded(frame, at, epoch=EPOCH, number=number, synced=synced, high=high)


def forward(town: Town, payload: bytes, edge: str = EDGE) -> Changes:
    return town.take(Transport.MQTT, f"vaka/1/{edge}/frame", payload, source=edge)


def events(changes: Changes) -> Sequence[Event]:
    return changes.events


def test_a_forwarded_frame_says_what_it_says_when_it_comes_by_itself() -> None:
    direct, town = town_with_edge(), town_with_edge()
    for one in (direct, town):
        one.now += timedelta(seconds=90)
    payload = said()
    (here,) = events(direct.take(Transport.MQTT, f"vaka/1/{LOCK}/event", payload, source=LOCK))
    (there,) = events(forward(town, envelope(heard(LOCK, payload))))
    assert there == here


def test_the_journal_keeps_the_envelope_as_it_came() -> None:
    town = town_with_edge()
    changes = forward(town, envelope(heard(LOCK, b"no JSON")))
    ((kept, device, _, _),) = changes.quarantine
    assert (kept.payload, device, kept.heard_by) == (b"no JSON", LOCK, EDGE)
    told = read_forwarded(envelope(heard(LOCK, b"\0\xff", duplicate=True)))
    assert (told.payload, told.way, told.source, told.duplicate) == (b"\0\xff", "listener", LOCK, True)


def test_what_was_sent_again_is_noted_and_is_no_event() -> None:
    town = town_with_edge()
    assert events(forward(town, envelope(heard("gate", b""), 1))) == []
    bare = Frame(Transport.MQTT, "zigbee2mqtt/backgate", b'{"contact":false}', START, ingress="listener")
    first, again = forward(town, envelope(bare, 2)), forward(town, envelope(bare, 2))
    assert [event.type for event in first.events] == ["door.opened"] or first.traces
    assert again.events == []
    (remark,) = again.traces
    assert (remark.verdict, remark.step) == (Verdict.DUPLICATE, "forwarding")
    assert f"{EPOCH}/2" in remark.reason


@pytest.mark.parametrize("device", [FAR, LOCK])
def test_an_edge_speaks_for_its_own_home_only(device: str) -> None:
    town = town_with_edge()
    changes = forward(town, envelope(heard(device, said())))
    if device == LOCK:
        assert [event.device for event in changes.events] == [LOCK]
        return
    assert changes.events == []
    ((kept, whose, reason, clause),) = changes.quarantine
    assert (whose, clause) == (EDGE, "edge")
    assert FAR in reason
    assert read_forwarded(kept.payload).payload == said()


def test_a_device_that_speaks_through_the_edge_may_live_elsewhere() -> None:
    changes = forward(town_with_edge(), envelope(heard("t/lock-hall", said())))
    assert [event.home for event in changes.events] == ["h2"]


def test_a_source_of_another_home_is_no_way_round() -> None:
    frame = msgspec.structs.replace(heard(LOCK, said()), source=FAR)
    assert forward(town_with_edge(), envelope(frame)).events == []


@pytest.mark.parametrize(
    ("edge", "told"), [("t/stranger", "not enrolled"), (LOCK, "no gateway")], ids=["unknown", "a lock"]
)
def test_only_an_enrolled_gateway_may_forward(edge: str, told: str) -> None:
    changes = forward(town_with_edge(), envelope(heard(LOCK, said())), edge)
    assert changes.events == []
    assert told in changes.quarantine[0][2]


@pytest.mark.parametrize("transport", ["person", "clock", "registry", "receipt", "watch"])
def test_an_edge_cannot_make_what_only_the_house_makes(transport: str) -> None:
    town = town_with_edge()
    words = msgspec.msgpack.decode(envelope(heard(LOCK, said())))
    words[2] = transport
    changes = forward(town, msgspec.msgpack.encode(words))
    assert changes.events == []
    assert changes.registry is None
    assert "envelope" in changes.quarantine[0][2]


@given(st.binary(max_size=200))
def test_whatever_comes_as_an_envelope_is_read_or_refused(payload: bytes) -> None:
    frame = Frame(Transport.MQTT, f"vaka/1/{EDGE}/frame", payload, START)
    assert decode(frame, TABLE).failure


TABLE = Town().walk.table


def test_an_envelope_within_an_envelope_is_refused() -> None:
    inner = Frame(Transport.MQTT, f"vaka/1/{EDGE}/frame", envelope(heard(LOCK, said())), START)
    changes = forward(town_with_edge(), envelope(inner))
    assert changes.events == []
    assert "another forwarded" in changes.quarantine[0][2]


def test_the_largest_frame_fits_in_its_envelope() -> None:
    for letter in "xö\U0001f600":
        name = letter * 70_000
        flags = {"ingress": name, "source": name, "fault": name}
        largest = Frame(Transport.MQTT, name, bytes(MAX_PAYLOAD_BYTES), START, **flags)
        told = envelope(largest, 2**62, high=True)
        assert len(told) <= MAX_FORWARDED_BYTES
        assert read_forwarded(numbered(told, 7, high=False)).number == 7
    long = Frame(Transport.MQTT, "vaka/" * 200, b"", START)
    assert "characters of channel" in read_forwarded(envelope(long)).fault


def test_the_time_of_hearing_stands_in_for_a_time_that_the_device_does_not_give() -> None:
    town = town_with_edge()
    town.now = START + timedelta(hours=2)
    opened = Frame(Transport.MQTT, "zigbee2mqtt/backgate", b'{"contact":true}', START)
    forward(town, envelope(opened, 1, at=START))
    opened = msgspec.structs.replace(opened, payload=b'{"contact":false}')
    (event,) = forward(town, envelope(opened, 2, at=START + timedelta(minutes=5))).events
    assert event.occurred_at == START + timedelta(minutes=5)
    assert event.received_at == town.now
    assert event.late_s == 115 * 60
    status = town.state.status("gate")
    assert status.last_seen_at == START + timedelta(minutes=5)
    assert status.late >= 1
    assert town.state.status(EDGE).last_seen_at == town.now, "the edge itself was heard now"


@pytest.mark.parametrize("wrong", [{"synced": False}, {"at": datetime(1971, 1, 1, tzinfo=UTC)}])
def test_an_edge_whose_clock_is_wrong_gives_no_time(wrong: dict[str, Any]) -> None:
    town = town_with_edge()
    town.now = START + timedelta(hours=2)
    frames = [
        Frame(Transport.MQTT, "zigbee2mqtt/backgate", payload, START)
        for payload in (b'{"contact":true}', b'{"contact":false}')
    ]
    (event,) = [
        event
        for number, frame in enumerate(frames, 1)
        for event in forward(town, envelope(frame, number, **wrong)).events
    ]
    assert event.occurred_at == town.now


@pytest.mark.parametrize("synced", [True, False])
def test_a_backlog_of_advertisements_is_no_burst_of_one(synced: bool) -> None:  # noqa: FBT001 - a parameter
    town = town_with_edge()
    base = json.loads(town.state.registry.document.to_json())
    address = "A4:C1:38:56:23:11"
    button = {"id": "cord", "tenant": "t", "adapter": "bthome", "native_id": address, "kind": "button"}
    base["device"].append(button)
    base["enrolment"].append({"device": "cord", "home": "h1", "since": START.isoformat()})
    town.take(Transport.REGISTRY, "registry", RegistryDocument.of(base).to_json())
    heard_at = [START - timedelta(hours=3), START - timedelta(hours=2), START - timedelta(hours=2)]
    found = []
    for number, at in enumerate(heard_at, 1):
        town.now += timedelta(milliseconds=1)
        press = json.dumps({"service_uuid": "fcd2", "service_data_hex": "4000073a01"}).encode()
        frame = Frame(Transport.BLE, f"ble/adv/{address}", press, START)
        found.append(len(forward(town, envelope(frame, number, at=at, synced=synced)).events))
    assert found == [1, 1, 0], "the same counter hours apart is another message, in one second it is none"


def test_the_mark_of_the_edge_lets_a_frame_overtake() -> None:
    urgent = urgency(load_adapters())
    channel = f"vaka/1/{EDGE}/frame"
    plain, marked = (envelope(heard(LOCK, said()), high=high) for high in (False, True))
    assert not urgent(Frame(Transport.MQTT, channel, plain, START))
    assert urgent(Frame(Transport.MQTT, channel, marked, START))
    assert not urgent(Frame(Transport.MQTT, channel, b"vaka.alarm.manual", START))


def test_the_trace_names_the_edge_and_the_radio() -> None:
    frame = Frame(Transport.BLE, "ble/adv/A4:C1:38:56:23:11", b"\1", START, ingress="ble:hci0")
    told = hop_of(Frame(Transport.MQTT, f"vaka/1/{EDGE}/frame", envelope(frame), START))
    assert all(word in told for word in ("ble:hci0", EDGE, "A4:C1", "synced", "12:00:00.000"))
    assert hop_of(frame) == ""
    assert "cannot be read" in hop_of(Frame(Transport.MQTT, f"vaka/1/{EDGE}/frame", b"", START))


# which numbers came


ORDERS = st.lists(st.integers(1, 200), min_size=1, max_size=300)


@given(ORDERS, st.integers(0, 299))
def test_every_number_counts_once_whatever_the_order_and_a_restart(numbers: list[int], cut: int) -> None:
    records: dict[str, bytes] = {}

    def put(key: str, body: bytes | None) -> None:
        assert body is not None
        records[key] = body

    edges, came = Edges({}, put), set[int]()
    for place, number in enumerate(numbers):
        if place == cut:
            edges = Edges(records, put)
        assert edges.first_time(EDGE, EPOCH, number) == (number not in came)
        came.add(number)


def test_a_number_far_back_is_a_repeat_and_a_new_queue_begins_anew() -> None:
    edges = Edges({}, lambda _key, _body: None)
    assert edges.first_time(EDGE, EPOCH, 5000)
    assert not edges.first_time(EDGE, EPOCH, 5000 - WINDOW)
    assert edges.first_time(EDGE, EPOCH, 5001 - WINDOW)
    assert edges.first_time(EDGE, "aaaaaaaa", 1)
    assert not edges.first_time(EDGE, EPOCH, 5000)
    assert edges.first_time("t/other", EPOCH, 5000)


def test_a_state_made_from_what_was_committed_knows_what_came() -> None:
    town = town_with_edge()
    changes = forward(town, envelope(heard(LOCK, said())))
    records = {key: body for key, body in changes.records.items() if body is not None}
    again = Edges(Snapshot(0, document(), {}, {}, {}, {}, {}, {}, records=records).records, lambda *_: None)
    assert not again.first_time(EDGE, EPOCH, 1)
