"""The gateway's core alone: `Walk.step` over a state in memory, for many homes at full speed."""

from datetime import datetime
from heapq import heappop, heappush
from itertools import count

from msgspec.structs import replace

from gateway.contract import Changes, ChannelFault
from gateway.model.alert import Alert
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Frame, Transport
from gateway.pipeline.decode import Decoded
from gateway.pipeline.state import State
from simulators.house.keep import Keep
from simulators.house.port import Acknowledged, Arrival, Committed, Setting, frame_of, fresh
from simulators.outputs import Message

BATCH = 512
"""Frames between two commits where nobody waits for one: a delivery is committed at once."""


class Fleet:
    """The steps and the state, one frame after the other; what is committed goes to a `Keep`.

    It stands for intake, engine and dispatch: the whole house (`simulators.house.whole`) has the real ones.
    Where it will never fall (`falls`), what was walked is as good as on disk, and said to be so at once.
    """

    def __init__(self, setting: Setting, keep: Keep, *, falls: bool = False) -> None:
        self._walk, self._keep, self._people = setting.walk, keep, setting.people
        self.acknowledged: Acknowledged = _nobody
        self.committed: Committed = _no_one
        self.frames = 0
        self._falls = falls
        self._pending: list[Frame] = []
        self._tokens: list[int] = []
        self._rings: list[tuple[datetime, int, Delivery]] = []
        self._order = count()
        self.state = State(keep.load())
        self._down = False
        self.tell(setting.registry())

    def take(self, arrival: Arrival) -> None:
        """Walk a message."""
        if arrival.token and self._falls:
            self._tokens.append(arrival.token)
        self._step(frame_of(arrival))
        if arrival.token and not (self._falls or self._down):
            self.acknowledged([arrival.token])

    def link(self, at: datetime, device: str, will: Message, *, up: bool) -> None:
        """Speak the last will of a connection that broke."""
        if not up:
            self.take(Arrival(at, device, fresh(will)))

    def tell(self, frame: Frame) -> None:
        """Walk an answer, a receipt or the like."""
        self._step(frame)

    def next_at(self) -> datetime | None:
        """Return when the next timer is due, or the next phone rings."""
        if self._down:
            return None
        due = self.state.next_due()
        if self._rings and (due is None or self._rings[0][0] < due):
            return self._rings[0][0]
        return due

    def come_to(self, now: datetime) -> None:
        """Fire the timers that are due, and let phones ring."""
        if self._down:
            return
        due = self.state.next_due()
        if due is not None and due <= now:
            self._step(Frame(Transport.CLOCK, "tick", b"", now, ingress="engine"))
        while self._rings and self._rings[0][0] <= now:
            self._ring(heappop(self._rings)[2], now)
        if self._tokens:
            self.flush()

    def alert(self, alert_id: str) -> Alert | None:
        """Return an open alert as it is."""
        return None if self._down else self.state.alerts.get(alert_id)

    def crash(self) -> None:
        """Forget what is not committed."""
        self._down = True
        self._pending, self._tokens, self._rings = [], [], []

    def restart(self, now: datetime) -> None:
        """Go on from the last commit, as the engine does: first a tick that says so."""
        kept = self._keep.load()
        self.state, self.frames, self._down = State(kept), kept.cursor, False
        for delivery in self.state.deliveries.values():
            self._hold(delivery)
        self._step(Frame(Transport.CLOCK, "start", b"", now, ingress="engine"))

    def close(self) -> None:
        """Commit what is left."""
        self.flush()
        self._keep.close()

    def flush(self) -> None:
        """Commit, and then tell whoever waits."""
        if not self._pending:
            return
        changes = self.state.take_changes()
        changes.frames = self._pending
        self._keep.commit(changes, self.frames)
        tokens, self._pending, self._tokens = self._tokens, [], []
        self.committed(changes, self.frames)
        if tokens:
            self.acknowledged(tokens)
        for delivery in changes.deliveries.values():
            self._hold(delivery)

    def _step(self, frame: Frame) -> None:
        if self._down:
            return
        self.frames += 1
        numbered = replace(frame, position=self.frames)
        decoded: Decoded = self._walk.read(numbered)
        asked = self._walk.doubtful(self.state, [decoded])
        known = self._keep.known(asked) if asked else frozenset[str]()
        self._walk.step(self.state, numbered, decoded, known, numbered.received_at)
        self._pending.append(numbered)
        if self.state.changes.deliveries or len(self._pending) >= BATCH:
            self.flush()

    def _hold(self, delivery: Delivery) -> None:
        if delivery.state is DeliveryState.QUEUED:
            at = max(delivery.due_at or self.state.now, self.state.now)
            heappush(self._rings, (at, next(self._order), delivery))

    def _ring(self, queued: Delivery, now: datetime) -> None:
        """Let the channel try once, if it is still wanted; what came of it is a receipt."""
        delivery = self.state.deliveries.get(queued.id)
        alert = self.state.alerts.get(queued.alert)
        if delivery is None or delivery.state is not DeliveryState.QUEUED or alert is None:
            return
        again = ""
        try:
            reason = self._people.ring(delivery, alert, now)
        except ChannelFault as fault:
            reason, again = str(fault), "/again"
        reached = DeliveryState.FAILED if reason else DeliveryState.SENT
        channel = f"delivery/{reached}/{delivery.id}{again}"
        self._step(Frame(Transport.RECEIPT, channel, reason.encode(), now, ingress="dispatch"))


def _nobody(_tokens: object) -> None:
    """Nobody waits for acknowledgements."""


def _no_one(_changes: Changes, _cursor: int) -> None:
    """Nobody looks at commits."""
