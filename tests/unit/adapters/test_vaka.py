"""The standard interface: identity, time, source, and the clause of each refusal."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from adapters.vaka import ADAPTER, CLAUSES
from adapters.vaka.words import WORDS
from gateway.contract import Undecodable
from gateway.model.event import event_id
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Reading
from gateway.model.vocabulary import VOCABULARY, ClockQuality, DeviceKind

RECEIVED = datetime(2026, 2, 3, 20, 15, tzinfo=UTC)


def message(**changes: object) -> bytes:
    said: dict[str, Any] = {
        "specversion": "1.0",
        "id": "a-1",
        "source": "vaka:kommun/d17",
        "type": "vaka.alarm.manual.v1",
        "time": "2026-02-03T21:14:05+01:00",
        "data": {},
    }
    return msgspec.json.encode({**said, **changes})


def decoded(payload: bytes, branch: str = "event") -> Reading:
    item = ADAPTER.decode(Frame(Transport.MQTT, f"vaka/1/kommun/d17/{branch}", payload, RECEIVED))[0]
    assert isinstance(item, Reading)
    return item


def clause_of(payload: bytes, branch: str = "event", device: str = "kommun/d17") -> str:
    with pytest.raises(Undecodable) as refused:
        ADAPTER.decode(Frame(Transport.MQTT, f"vaka/1/{device}/{branch}", payload, RECEIVED))
    return refused.value.clause


def test_the_same_event_sent_twice_has_one_identity_and_another_event_another() -> None:
    once, again, other = decoded(message()), decoded(message()), decoded(message(id="a-2"))
    ids = [event_id("d17", reading.key, reading.occurred_at or RECEIVED) for reading in (once, again, other)]
    assert ids[0] == ids[1] != ids[2]


def test_the_time_of_the_device_comes_in_utc_with_its_clock_quality() -> None:
    reading = decoded(message(clockquality="synced"))
    assert reading.occurred_at == datetime(2026, 2, 3, 20, 14, 5, tzinfo=UTC)
    assert reading.occurred_at.tzinfo is UTC
    assert reading.clock is ClockQuality.SYNCED
    assert decoded(message()).clock is ClockQuality.UNSYNCED


@pytest.mark.parametrize(
    "source", ["", "kommun/d17", "vaka:kommun/d17", "/vaka/1/kommun/d17", "urn:vaka:d17", "d17", "//host/d17"]
)
def test_a_source_that_names_the_device_is_taken(source: str) -> None:
    assert decoded(message(source=source)).native_id == "kommun/d17"


@pytest.mark.parametrize("source", ["d18", "vaka:kommun/d18", "urn:vaka:d170", "d17/", " "])
def test_a_source_that_names_another_device_contradicts_the_topic(source: str) -> None:
    assert clause_of(message(source=source)) == "VDI-EVT-05"


@pytest.mark.parametrize("word", VOCABULARY.values(), ids=lambda word: word.name)
def test_every_word_can_be_read_from_the_wire(word: Any) -> None:
    least = {"latitude": 1, "longitude": 2} if word.name == "position.update" else {}
    reading = decoded(message(type=word.wire, data=least))
    assert (reading.type, type(reading.values)) == (word.name, word.values)


def test_the_kind_is_only_guessed_from_words_that_one_kind_says() -> None:
    assert WORDS["vaka.medication.jam.v1"].kind is DeviceKind.DISPENSER
    assert WORDS["vaka.alarm.manual.v1"].kind is DeviceKind.UNKNOWN
    assert WORDS["vaka.door.opened.v1"].kind is DeviceKind.UNKNOWN


def test_a_name_longer_than_the_registry_can_hold_is_refused() -> None:
    assert clause_of(message(), device=f"kommun/{'d' * 250}") == "VDI-MQTT-01"


def test_a_batch_refuses_a_time_that_utc_cannot_hold() -> None:
    item = {"type": "vaka.heartbeat.v1", "time": "0001-01-01T00:00:00+14:00"}
    assert clause_of(msgspec.json.encode({"readings": [item]}), "telemetry") == "VDI-EVT-06"


@pytest.mark.parametrize("branch", ["status", "telemetry", "result"])
def test_every_branch_refuses_what_is_no_json(branch: str) -> None:
    assert clause_of(b"{", branch) == "VDI-ENC-02"
    assert clause_of(b'{"a":"\xff"}', branch) == "VDI-ENC-01"


@pytest.mark.parametrize("quality", ["none", "good"])
@pytest.mark.parametrize("branch", ["event", "telemetry", "status"])
def test_every_branch_holds_the_clock_quality_to_its_list(branch: str, quality: str) -> None:
    item = {"type": "vaka.heartbeat.v1", "time": "2026-02-03T20:14:05Z", "clockquality": quality}
    said: object = {
        "event": {"specversion": "1.0", "id": "a", **item},
        "telemetry": {"readings": [item]},
        "status": {"state": "online", **item},
    }[branch]
    assert clause_of(msgspec.json.encode(said), branch) == "VDI-EVT-09"


def test_a_status_time_that_utc_cannot_hold_is_refused() -> None:
    assert clause_of(b'{"state":"online","time":"0001-01-01T00:00:00+14:00"}', "status") == "VDI-EVT-06"


def test_clause_ids_have_one_form_and_one_level() -> None:
    for name, clause in CLAUSES.items():
        family, group, number = name.split("-")
        assert (family, clause.id, clause.level in {"must", "should"}) == ("VDI", name, True)
        assert group.isupper()
        assert len(number) == 2
        assert clause.en.endswith(".")
