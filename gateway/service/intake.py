"""Intake: where frames wait for the engine, urgent ones first; their senders hear when they are on disk."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from gateway.contract import Sender, StoreUnavailableError
from gateway.model.frame import INTERNAL, Frame

log = logging.getLogger(__name__)

ACCEPT_WITHIN_S = 8.0
"""An accepted frame is on disk within this or its sender is told no (standards: acknowledgement <= 8 s)."""
ALONGSIDE = 8
"""Other frames in a group of urgent ones: few, so that it is soon on disk, but always some."""
URGENT_A_SOURCE = 64
"""Urgent frames of one source that may wait in the fast lane; its further ones wait with the others."""
MAX_WAITING_BYTES = 64 << 20
"""What may wait for the disk in both lanes together, payloads and channels; devices wait beyond it."""

Waiting = tuple[Frame, Sender | None, int]
Urgent = Callable[[Frame], bool]


class _Caller:
    """Waits for one frame, for those who need its position."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def durable(self, _tokens: Sequence[int]) -> None:
        if not self.done.done():
            self.done.set_result(None)


class LaneIntake:
    """Two lanes to one engine: urgent frames overtake the others on the way.

    While one group is committed the next one forms by itself. When `queue_frames` wait in a lane, or
    too many bytes in both, `offer` says no and the ways in hold back. Frames made inside the house
    always pass: their makers bound them.
    """

    def __init__(self, *, queue_frames: int, urgent: Urgent) -> None:
        self._limit = queue_frames
        self._urgent = urgent
        self._lanes: tuple[deque[Waiting], deque[Waiting]] = (deque(), deque())
        self._bytes = 0
        self._urgent_of: dict[str, int] = {}
        self.arrived = asyncio.Event()
        self.taken = 0

    def offer(self, frame: Frame, sender: Sender | None = None, token: int = 0) -> bool:
        """Queue a frame; False when a limit is reached and nothing was taken."""
        urgent, normal = self._lanes
        if frame.transport in INTERNAL:
            urgent.append((frame, sender, token))
        elif self._bytes >= MAX_WAITING_BYTES:
            return False
        elif self._urgent(frame) and self._may_overtake(frame.source):
            urgent.append((frame, sender, token))
        elif len(normal) < self._limit:
            normal.append((frame, sender, token))
        else:
            return False
        self._bytes += len(frame.payload) + len(frame.channel)
        self.arrived.set()
        return True

    def _may_overtake(self, source: str) -> bool:
        """Count an urgent frame of a source; False when the fast lane or the source's share is full."""
        if len(self._lanes[0]) >= self._limit:
            return False
        if source:
            waiting = self._urgent_of.get(source, 0)
            if waiting >= URGENT_A_SOURCE:
                return False
            self._urgent_of[source] = waiting + 1
        return True

    async def accept(self, frame: Frame, within_s: float = ACCEPT_WITHIN_S) -> int:
        """Queue a frame and return its journal position once it is judged and on disk."""
        caller = _Caller()
        if not self.offer(frame, caller):
            raise StoreUnavailableError("the gateway is full: try again in a moment")
        try:
            await asyncio.wait_for(caller.done, within_s)
        except TimeoutError as error:
            raise StoreUnavailableError(f"not on disk within {within_s:.0f} s") from error
        return frame.position

    @property
    def waiting(self) -> int:
        """How many frames wait for the engine."""
        return len(self._lanes[0]) + len(self._lanes[1])

    def next_group(self, most: int) -> list[Waiting]:
        """Take the next group from the lanes, the urgent frames first."""
        urgent, normal = self._lanes
        size = min(most, len(urgent) + ALONGSIDE) if urgent else most
        first = min(len(urgent), most - min(ALONGSIDE, most // 4))
        group = [urgent.popleft() for _ in range(first)]
        if group:
            self._left_fast_lane(group)
        group.extend([normal.popleft() for _ in range(min(size - first, len(normal)))])
        self._bytes -= sum([len(frame.payload) + len(frame.channel) for frame, _, _ in group])
        return group

    def _left_fast_lane(self, group: Sequence[Waiting]) -> None:
        """Give the sources their share of the fast lane back."""
        shares = self._urgent_of
        for frame, _, _ in group:
            if frame.source and frame.transport not in INTERNAL:
                if shares[frame.source] == 1:
                    del shares[frame.source]
                else:
                    shares[frame.source] -= 1

    def tell(self, group: Sequence[Waiting]) -> None:
        """Tell each sender once what is on disk."""
        self.taken += len(group)
        tokens: dict[Sender, list[int]] = {}
        for _, sender, token in group:
            if sender is not None:
                tokens.setdefault(sender, []).append(token)
        for sender, theirs in tokens.items():
            try:
                sender.durable(theirs)
            except Exception:  # one sender's fault must not end the writing for all
                log.exception("a sender failed on hearing that %d frames are on disk", len(theirs))
