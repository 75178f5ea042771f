"""The intake keeps its limits whoever sends, and outlives a sender's fault."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.contract import StoreUnavailableError
from gateway.model.frame import MAX_PAYLOAD_BYTES, Frame, Transport
from gateway.plugins import load_adapters, urgency
from gateway.service.intake import ALONGSIDE, MAX_WAITING_BYTES, URGENT_A_SOURCE, JournalIntake

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOS = b'{"type":"vaka.alarm.manual.v1"}'
CALM = b'{"type":"vaka.motion.detected.v1"}'


class MemoryJournal:
    """Keeps groups in memory; refuses while `full`."""

    def __init__(self) -> None:
        self.groups: list[list[Frame]] = []
        self.full = False

    @property
    def frames(self) -> list[Frame]:
        return [frame for group in self.groups for frame in group]

    def append(self, frames: Sequence[Frame]) -> int:
        if self.full:
            raise StoreUnavailableError("the disk is full")
        first = len(self.frames) + 1
        self.groups.append(list(frames))
        return first

    def read(self, after: int, limit: int) -> list[Frame]:
        return self.frames[after : after + limit]

    def last(self) -> int:
        return len(self.frames)

    def close(self) -> None:
        pass


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


def intake_of(journal: MemoryJournal, *, queue_frames: int = 100, batch: int = 128) -> JournalIntake:
    return JournalIntake(journal, batch=batch, queue_frames=queue_frames, urgent=urgency(load_adapters()))


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def write_all(intake: JournalIntake) -> None:
    """Let the intake write until nothing waits."""
    total = intake.waiting + intake.taken
    task = asyncio.create_task(intake.run(lambda: True))
    async with asyncio.timeout(10):
        while intake.taken < total:
            await asyncio.sleep(0)
    await intake.drain()
    task.cancel()
    await asyncio.wait([task])


def test_urgent_frames_of_one_source_end_at_the_queues_limit() -> None:
    async def scenario() -> None:
        intake = intake_of(MemoryJournal(), queue_frames=100)
        taken = sum(intake.offer(frame(SOS)) for _ in range(5000))
        assert taken == URGENT_A_SOURCE + 100

    run(scenario())


def test_a_source_that_fills_its_share_leaves_the_fast_lane_to_another() -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        intake = intake_of(journal)
        while intake.offer(frame(SOS, "t/loud")):
            pass
        assert intake.offer(frame(SOS, "t/quiet"))
        await write_all(intake)
        place = [one.source for one in journal.frames].index("t/quiet")
        assert place == URGENT_A_SOURCE

    run(scenario())


def test_a_share_of_the_fast_lane_is_given_back_when_it_is_run() -> None:
    async def scenario() -> None:
        intake = intake_of(MemoryJournal())
        task = asyncio.create_task(intake.run(lambda: True))
        for number in range(1, 4):
            for _ in range(URGENT_A_SOURCE):
                assert intake.offer(frame(SOS))
            assert not intake._lanes[1]
            async with asyncio.timeout(10):
                while intake.taken < number * URGENT_A_SOURCE:
                    await asyncio.sleep(0)
        assert intake._urgent_of == {}
        await intake.drain()
        task.cancel()
        await asyncio.wait([task])

    run(scenario())


def test_urgent_frames_without_a_source_end_at_the_lanes_limit() -> None:
    async def scenario() -> None:
        intake = intake_of(MemoryJournal(), queue_frames=100)
        assert sum(intake.offer(frame(SOS, "")) for _ in range(5000)) == 200

    run(scenario())


def test_large_payloads_end_at_the_limit_of_bytes_whichever_their_lane() -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        intake = intake_of(journal, queue_frames=20_000)
        large = SOS.ljust(MAX_PAYLOAD_BYTES)
        taken = sum(intake.offer(frame(large, f"t/{number}")) for number in range(3000))
        assert MAX_WAITING_BYTES // MAX_PAYLOAD_BYTES - 1 <= taken <= MAX_WAITING_BYTES // MAX_PAYLOAD_BYTES
        assert not intake.offer(frame(CALM))
        await write_all(intake)
        assert len(journal.frames) == taken
        assert intake._bytes == 0

    run(scenario())


def test_what_the_house_itself_makes_passes_a_full_intake() -> None:
    async def scenario() -> None:
        intake = intake_of(MemoryJournal())
        while intake.offer(frame(SOS, "")):
            pass
        assert intake.offer(frame(b"{}", "carer", Transport.PERSON))
        assert intake.offer(frame(b"", "", Transport.CLOCK))

    run(scenario())


def test_a_flood_of_urgent_frames_leaves_the_others_a_place_in_each_group() -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        intake = intake_of(journal, queue_frames=2000)
        for number in range(1000):
            assert intake.offer(frame(SOS, f"t/{number}"))
            assert intake.offer(frame(CALM))
        await write_all(intake)
        first = journal.groups[0]
        assert [one.payload for one in first] == [SOS] * (128 - ALONGSIDE) + [CALM] * ALONGSIDE

    run(scenario())


@pytest.mark.parametrize("batch", [1, 2, 3, 128])
def test_every_frame_is_written_once_whatever_the_group_size(batch: int) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        intake = intake_of(journal, batch=batch)
        for number in range(50):
            assert intake.offer(frame(SOS, f"t/{number}"))
            assert intake.offer(frame(CALM))
        await write_all(intake)
        assert sorted(one.position for one in journal.frames) == list(range(1, 101))
        assert all(len(group) <= batch for group in journal.groups)

    run(scenario())


def test_a_sender_that_fails_does_not_end_the_writing_for_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        intake, hearer = intake_of(journal), Hearer()
        task = asyncio.create_task(intake.run(lambda: True))
        intake.offer(frame(), Stumbler(), 1)
        intake.offer(frame(), hearer, 2)
        async with asyncio.timeout(10):
            while hearer.heard != [2]:
                await asyncio.sleep(0)
            intake.offer(frame(), hearer, 3)
            while hearer.heard != [2, 3]:
                await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])
        await intake.drain()

    run(scenario())
    assert "a sender failed" in caplog.text


def test_a_full_disk_at_the_stop_is_told_and_nobody_hears_that_it_is_safe() -> None:
    async def scenario() -> None:
        journal, hearer = MemoryJournal(), Hearer()
        intake = intake_of(journal)
        journal.full = True
        intake.offer(frame(), hearer, 1)
        with pytest.raises(StoreUnavailableError):
            await intake.drain()
        assert hearer.heard == []

    run(scenario())


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
