"""Whether people can be reached is told when it changes, and never twice, however often a page beats."""

import json
from datetime import timedelta

import msgspec

from gateway.contract import Changes, Snapshot
from gateway.model.frame import Frame, Transport
from gateway.model.people import Reach
from gateway.model.registry import RegistryDocument
from gateway.service.reach import LOST_AFTER, Reachability
from gateway.stores.contacts import SqliteContacts
from tests.unit.pipeline.town import START
from tests.unit.service.rig import SetClock


class Told:
    """An intake that keeps what it is offered, or has no room."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.full = False

    def offer(self, frame: Frame, sender: object = None, token: int = 0) -> bool:
        assert (sender, token) == (None, 0)
        if not self.full:
            self.frames.append(frame)
        return not self.full

    async def accept(self, frame: Frame) -> int:
        raise NotImplementedError

    @property
    def said(self) -> list[tuple[str, str, bool]]:
        said = [(frame.channel, json.loads(frame.payload)) for frame in self.frames]
        assert {frame.transport for frame in self.frames} <= {Transport.RECEIPT}
        return [(channel, word["channel"], word["reachable"]) for channel, word in said]


NONE: frozenset[tuple[str, str]] = frozenset()
ANNA = "staff/anna/reach"


def made(book: SqliteContacts | None = None) -> tuple[Reachability, Told, SetClock]:
    told, clock = Told(), SetClock()
    return Reachability(book, told, clock), told, clock  # type: ignore[arg-type] # where none is asked


def test_a_thousand_beats_are_one_word_and_their_end_another() -> None:
    reach, told, clock = made()
    for _ in range(1000):
        reach.beat("anna")
        reach.look(NONE)
        clock.forward(seconds=1)
    clock.forward(seconds=LOST_AFTER.total_seconds())
    reach.look(NONE)
    reach.look(NONE)
    assert told.said == [(ANNA, "page", True), (ANNA, "page", False)]
    reach.beat("anna")
    assert told.said[2:] == [(ANNA, "page", True)]


def test_an_address_noted_makes_somebody_reachable_and_its_end_unreachable() -> None:
    reach, told, _ = made()
    reach.look(frozenset({("anna", "sms")}))
    reach.look(frozenset({("anna", "sms")}))
    reach.look(NONE)
    assert told.said == [(ANNA, "sms", True), (ANNA, "sms", False)]


def test_a_channel_at_rest_takes_people_out_of_reach_only_if_it_stays_so() -> None:
    reach, told, _ = made()
    noted = frozenset({("anna", "sms")})
    reach.look(noted)
    reach.resting = lambda: {"sms": "503"}
    reach.look(noted)
    assert told.said == [(ANNA, "sms", True)]
    reach.look(noted)
    reach.resting = dict
    reach.look(noted)
    assert told.said[1:] == [(ANNA, "sms", False), (ANNA, "sms", True)]


def test_after_a_restart_it_knows_what_it_told_and_waits_its_time_for_a_sign() -> None:
    reach, told, clock = made()
    kept = Reach(staff="anna", channel="page", reachable=True, at=START)
    records = {"reach\0anna\0page": msgspec.json.encode(kept)}
    reach.load(Snapshot(0, RegistryDocument(), {}, {}, {}, {}, {}, {}, records=records))
    reach.beat("anna")
    clock.forward(seconds=(LOST_AFTER - timedelta(seconds=1)).total_seconds())
    reach.look(NONE)
    assert told.said == []
    clock.forward(seconds=2)
    reach.look(NONE)
    assert told.said == [(ANNA, "page", False)]


def test_what_another_told_is_not_told_again() -> None:
    reach, told, _ = made()
    gone = Reach(staff="anna", channel="sms", reachable=False, at=START)
    reach.look(frozenset({("anna", "sms")}))
    reach.publish(Changes(records={"reach\0anna\0sms": msgspec.json.encode(gone)}), 1)
    reach.changed("anna", "sms", reachable=False, reason="gone")
    assert told.said == [(ANNA, "sms", True)]


def test_what_found_no_room_is_told_when_there_is_some() -> None:
    reach, told, _ = made()
    told.full = True
    reach.look(frozenset({("anna", "sms")}))
    told.full = False
    reach.look(frozenset({("anna", "sms")}))
    assert told.said == [(ANNA, "sms", True)]
