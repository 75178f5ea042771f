"""News: what tells a new fact from a level repeated, a state that a broker kept, or a message sent again."""

from datetime import datetime, timedelta
from hashlib import blake2b

from gateway.model.frame import Frame
from gateway.model.reading import Reading
from gateway.model.status import DeviceStatus
from gateway.model.vocabulary import VOCABULARY, ClockQuality, EventType

REPEAT_WINDOW = timedelta(minutes=10)
"""How long an identical payload with the duplicate flag, from a protocol without ids, is a re-sent one."""
PACKET_WINDOW = timedelta(seconds=10)
"""How long the same small counter, heard again, is the same message: an advertisement is sent in a burst of
seconds, and its counter of eight bits comes round only after 256 messages."""
RECENT_PAYLOADS = 8
NEVER_TAKEN_FOR_A_REPEAT = frozenset({"alarm.manual", "fall.detected", "button.pressed"})
"""Calls for help: one counted twice is harmless, one taken for a repeat is not."""
LINK_SKEW = timedelta(seconds=60)
"""What a clock may be slow by: a last will has the time of its receipt, and the "online" that follows it has
the device's; only an "online" or "offline" older than this is history."""
ANCIENT_AFTER = timedelta(days=366)
"""A device time older than this says that the clock is wrong, not that the event is."""
AHEAD_AFTER = timedelta(minutes=5)
"""A time further ahead than this says the same."""


class Hearing:
    """One reading of one enrolled device, with what we knew of the device before.

    `said_at` is when the device says that it happened; `at` is what its place among the states is
    judged by: the same, or when it was heard where the device's clock cannot be believed.
    """

    __slots__ = ("frame", "reading", "said_at", "status", "word")

    def __init__(self, status: DeviceStatus, frame: Frame, reading: Reading) -> None:
        self.status = status
        self.frame = frame
        self.reading = reading
        self.word: EventType = VOCABULARY[reading.type]
        self.said_at: datetime = reading.occurred_at or frame.heard

    @property
    def at(self) -> datetime:
        """The moment that a state is entered by."""
        heard_at, said_at = self.frame.heard, self.said_at
        believed = (
            self.reading.clock is ClockQuality.SYNCED
            and heard_at - ANCIENT_AFTER < said_at < heard_at
            and not (self.word.slot == "link" and heard_at - said_at < LINK_SKEW)
        )
        return said_at if believed else heard_at

    @property
    def stale(self) -> bool:
        """True when a broker kept the message: a condition is still true then, anything else is old.

        With an idempotency key it is judged by the key instead.
        """
        return self.frame.retained and not self.word.condition and not self.reading.key


def why_not_news(hearing: Hearing, acted: dict[str, str]) -> str | None:
    """Say why a reading is status and not news, None when it is news; brings the status' slots up to date.

    `acted` holds what the same frame already told as an action, by slot: some products send the
    action and, beside it, the state from before it.
    """
    if hearing.word.slot:
        return _why_not_level(hearing, acted)
    return "retained: the broker kept an old message, which tells nothing new" if hearing.stale else None


def sent_again(hearing: Hearing) -> bool:
    """Tell whether a protocol without ids sent this again: its DUP flag, or its counter heard just now."""
    reading, frame = hearing.reading, hearing.frame
    if reading.packet:
        before = _last_heard(hearing, f"packet {reading.packet}:{reading.type}")
        return before is not None and abs(_heard_in(frame) - before) <= PACKET_WINDOW
    if reading.key or not reading.happened or reading.type in NEVER_TAKEN_FOR_A_REPEAT:
        return False
    digest = blake2b(frame.payload, key=frame.channel.encode()[:64], digest_size=8).hexdigest()
    before = _last_heard(hearing, f"{digest}:{reading.type}")
    return frame.duplicate and before is not None and abs(_heard_in(frame) - before) <= REPEAT_WINDOW


def _heard_in(frame: Frame) -> datetime:
    """Return the moment by which frames lie apart: an edge's clock tells that even where it is wrong.

    A backlog of hours comes in one second; by its receipt every message would seem to be the one before.
    """
    return frame.heard_at or frame.received_at


def _last_heard(hearing: Hearing, mark: str) -> datetime | None:
    """Return when the device last sent what a mark stands for, and remember that it did now."""
    recent = dict(hearing.status.recent)
    before = recent.pop(mark, None)
    recent[mark] = _heard_in(hearing.frame)
    while len(recent) > RECENT_PAYLOADS:
        recent.pop(next(iter(recent)))
    hearing.status.recent = recent
    return before


def _why_not_level(hearing: Hearing, acted: dict[str, str]) -> str | None:
    status, word, happened = hearing.status, hearing.word, hearing.reading.happened
    if not happened and acted.get(word.slot, word.name) != word.name:
        _doubt(status, word.slot)
        return f"the same message says {acted[word.slot]}: the action is the news, the state uncertain"
    before = status.slots.get(word.slot)
    if word.slot in status.since and hearing.at < status.since[word.slot]:
        return None if happened else f"older than the present {before}"
    if happened:
        acted[word.slot] = word.name
    if before != word.name:
        _enter(status, word, hearing.at)
    if hearing.stale:
        return f"retained: {word.name} is the state, not news"
    if happened or before not in (None, word.name):
        return None
    if before is None:
        return None if word.condition else f"{word.name} is the first state heard, not a change"
    return f"{word.name} repeated: no change"


def _enter(status: DeviceStatus, word: EventType, at: datetime) -> None:
    status.slots = {**status.slots, word.slot: word.name}
    status.since = {**status.since, word.slot: at}
    if word.slot in status.uncertain:
        status.uncertain = [slot for slot in status.uncertain if slot != word.slot]


def _doubt(status: DeviceStatus, slot: str) -> None:
    if slot not in status.uncertain:
        status.uncertain = [*status.uncertain, slot]
