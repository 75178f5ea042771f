from datetime import timedelta

import pytest

from gateway.model.event import Event, event_id
from gateway.model.vocabulary import ClockQuality, DeviceKind, HealthValues
from gateway.replay import seen
from gateway.replay.seen import Seen
from tests.unit.replay.kit import START


def event(number: int) -> Event:
    at = START + timedelta(seconds=number)
    return Event(
        id=event_id("d", str(number), at),
        type="heartbeat",
        device="d",
        kind=DeviceKind.LOCK,
        home="h",
        person=None,
        occurred_at=at,
        received_at=at,
        processed_at=at,
        clock=ClockQuality.SYNCED,
        late_s=0,
        frame=number,
        values=HealthValues(),
    )


def test_an_event_is_known_whether_it_is_in_memory_or_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "KEPT", 10)
    with Seen() as events:
        for number in range(25):
            events.add([event(number)])

        held = len(events._newest)
        known = events.known([event(number).id for number in (0, 9, 24, 25, 99)])

    assert held < 10  # so memory does not grow with the recording
    assert known == {event(number).id for number in (0, 9, 24)}


def test_an_event_that_comes_twice_is_kept_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "KEPT", 2)
    with Seen() as events:
        for _ in range(3):
            events.add([event(1), event(2)])

        assert events.known([event(1).id]) == {event(1).id}
