"""The intake keeps its limits whoever sends, and outlives a sender's fault."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from gateway.model.frame import MAX_PAYLOAD_BYTES, Frame, Transport
from gateway.plugins import load_adapters, urgency
from gateway.service.intake import ALONGSIDE, MAX_WAITING_BYTES, URGENT_A_SOURCE, LaneIntake

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOS = b'{"type":"vaka.alarm.manual.v1"}'
CALM = b'{"type":"vaka.motion.detected.v1"}'


class Hearer:
    """A sender that notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def durable(self, tokens: Sequence[int]) -> None:
        self.heard += tokens


class Stumbler:
    """A sender with a fault."""

    def durable(self, tokens: Sequence[int]) -> None:
        raise RuntimeError(f"stumbled over {len(tokens)}")


def frame(payload: bytes = CALM, source: str = "t/a", transport: Transport = Transport.MQTT) -> Frame:
    return Frame(transport, "vaka/1/t/a/event", payload, AT, "listener", source)


def intake_of(*, queue_frames: int = 100) -> LaneIntake:
    return LaneIntake(queue_frames=queue_frames, urgent=urgency(load_adapters()))


def groups(intake: LaneIntake, batch: int = 128) -> list[list[Frame]]:
    """Take all that waits, as the engine does."""
    taken: list[list[Frame]] = []
    while group := intake.next_group(batch):
        taken.append([frame for frame, _, _ in group])
        intake.tell(group)
    return taken


def test_urgent_frames_of_one_source_end_at_the_queues_limit() -> None:
    intake = intake_of(queue_frames=100)
    taken = sum(intake.offer(frame(SOS)) for _ in range(5000))
    assert taken == URGENT_A_SOURCE + 100


def test_a_source_that_fills_its_share_leaves_the_fast_lane_to_another() -> None:
    intake = intake_of()
    while intake.offer(frame(SOS, "t/loud")):
        pass
    assert intake.offer(frame(SOS, "t/quiet"))
    first = groups(intake)[0]
    assert [one.source for one in first].index("t/quiet") == URGENT_A_SOURCE


def test_a_share_of_the_fast_lane_is_given_back_when_it_is_run() -> None:
    intake = intake_of()
    for _ in range(3):
        for _ in range(URGENT_A_SOURCE):
            assert intake.offer(frame(SOS))
        assert not intake._lanes[1]
        groups(intake)
    assert intake._urgent_of == {}


def test_urgent_frames_without_a_source_end_at_the_lanes_limit() -> None:
    intake = intake_of(queue_frames=100)
    assert sum(intake.offer(frame(SOS, "")) for _ in range(5000)) == 200


def test_large_payloads_end_at_the_limit_of_bytes_whichever_their_lane() -> None:
    intake = intake_of(queue_frames=20_000)
    large = SOS.ljust(MAX_PAYLOAD_BYTES)
    taken = sum(intake.offer(frame(large, f"t/{number}")) for number in range(3000))
    assert MAX_WAITING_BYTES // MAX_PAYLOAD_BYTES - 1 <= taken <= MAX_WAITING_BYTES // MAX_PAYLOAD_BYTES
    assert not intake.offer(frame(CALM))
    assert sum(len(group) for group in groups(intake)) == taken
    assert intake._bytes == 0


def test_what_the_house_itself_makes_passes_a_full_intake() -> None:
    intake = intake_of()
    while intake.offer(frame(SOS, "")):
        pass
    assert intake.offer(frame(b"{}", "carer", Transport.PERSON))
    assert intake.offer(frame(b"", "", Transport.CLOCK))


def test_a_flood_of_urgent_frames_leaves_the_others_a_place_in_each_group() -> None:
    intake = intake_of(queue_frames=2000)
    for number in range(1000):
        assert intake.offer(frame(SOS, f"t/{number}"))
        assert intake.offer(frame(CALM))
    first = groups(intake)[0]
    assert [one.payload for one in first] == [SOS] * (128 - ALONGSIDE) + [CALM] * ALONGSIDE


@pytest.mark.parametrize("batch", [1, 2, 3, 128])
def test_every_frame_is_taken_once_whatever_the_group_size(batch: int) -> None:
    intake = intake_of()
    offered = [frame(payload, f"t/{number}") for number in range(50) for payload in (SOS, CALM)]
    for one in offered:
        assert intake.offer(one)
    found = groups(intake, batch)
    assert sorted(map(id, (one for group in found for one in group))) == sorted(map(id, offered))
    assert all(len(group) <= batch for group in found)
    assert (intake.waiting, intake.taken) == (0, 100)


def test_a_sender_that_fails_does_not_keep_the_others_from_hearing(caplog: pytest.LogCaptureFixture) -> None:
    intake, hearer = intake_of(), Hearer()
    assert intake.offer(frame(), Stumbler(), 1)
    assert intake.offer(frame(), hearer, 2)
    assert intake.offer(frame(), hearer, 3)
    groups(intake)
    assert hearer.heard == [2, 3]
    assert "a sender failed" in caplog.text


@pytest.mark.parametrize(
    ("channel", "payload", "expected"),
    [
        ("vaka/1/t/a/event", SOS, True),
        ("/in/vaka/1/t/a/event", SOS, True),
        ("vaka/1/t/a/event", CALM, False),
        ("vaka/1/t/a/event", b"vaka.vaka.fall.detected", True),
        ("vaka/1/t/a/event", b"", False),
        ("zigbee2mqtt/x", b'{"battery":9,"action":"sos"}', True),
        ("zigbee2mqtt/x", b'{"smoke":true}', True),
        ("zigbee2mqtt/x", b'{"smoke":false,"action":"single"}', False),
        ("zigbee2mqtt/x", SOS, False),
        ("nobody/x", SOS, False),
        ("", SOS, False),
    ],
)
def test_urgent_is_what_the_topics_own_adapter_marks(channel: str, payload: bytes, *, expected: bool) -> None:
    urgent = urgency(load_adapters())
    assert urgent(Frame(Transport.HTTP, channel, payload, AT)) is expected


def test_a_press_on_a_topic_whose_first_level_no_adapter_names_is_urgent_too() -> None:
    urgent = urgency(load_adapters())
    press = b'{"method":"NotifyEvent","params":{"events":[{"component":"input:0","event":"single_push"}]}}'
    assert urgent(Frame(Transport.MQTT, "shellyplus1-a8032abc7158/events/rpc", press, AT))
    assert not urgent(Frame(Transport.MQTT, "shellyplus1-a8032abc7158/events/rpc", b"{}", AT))
