"""Reach: whether people at work can be reached by each channel, told to the journal when it changes."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from gateway.contract import Changes, Clock, ContactBook, Intake, Snapshot, StoreUnavailableError
from gateway.model.frame import Frame, Transport
from gateway.model.people import Reach

log = logging.getLogger(__name__)

LOST_AFTER = timedelta(minutes=5)
"""Without a sign from somebody's page for so long they are out of reach by it (alert rules, S5)."""
LOOK_EVERY_S = 10.0
APP = "page"
"""The channel that the open page stands for."""
_RECORD = "reach\0"
Word = tuple[bool, str]


class Reachability:
    """Hears of pages that beat, of addresses noted and of channels at rest; tells each change once.

    However often a page beats, the journal hears only that somebody came within reach, or went out.
    """

    def __init__(
        self,
        contacts: ContactBook,
        intake: Intake,
        clock: Clock,
        *,
        resting: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self._contacts = contacts
        self._intake = intake
        self._clock = clock
        self.resting = resting
        self._told: dict[tuple[str, str], bool] = {}
        self._beats: dict[str, datetime] = {}
        self._rested: frozenset[str] = frozenset()

    def load(self, snapshot: Snapshot) -> None:
        """Take up what was told before; whoever was within reach has the usual time for a sign."""
        self._learn({key: body for key, body in snapshot.records.items() if key.startswith(_RECORD)})
        now = self._clock.now()
        self._beats = {staff: now for (staff, channel), up in self._told.items() if channel == APP and up}

    def publish(self, changes: Changes, _cursor: int) -> None:
        """Take up what others told."""
        self._learn({key: body for key, body in changes.records.items() if key.startswith(_RECORD)})

    def beat(self, staff: str) -> None:
        """Somebody's page shows that it is there and hears us."""
        self._beats[staff] = self._clock.now()
        self._tell(staff, APP, (True, "the page is open"))

    def changed(self, staff: str, channel: str, *, reachable: bool, reason: str) -> None:
        """Somebody's address was noted, or turned out to be gone."""
        self._tell(staff, channel, (reachable, reason))

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                noted = await asyncio.to_thread(self._contacts.noted)
            except StoreUnavailableError as error:
                log.warning("the contacts cannot be read: %s", error)
            else:
                self.look(noted)

    def look(self, noted: frozenset[tuple[str, str]]) -> None:
        """Tell what changed: pages fallen silent, addresses noted or gone, channels at rest or back."""
        oldest = self._clock.now() - LOST_AFTER
        for staff in [staff for staff, at in self._beats.items() if at < oldest]:
            del self._beats[staff]
            self._tell(staff, APP, (False, "no sign from the page for 5 minutes"))
        resting = self.resting()
        stays = self._rested & resting.keys()  # a channel that only stumbled takes nobody out of reach
        self._rested = frozenset(resting)
        for staff, channel in noted:
            well = (True, "an address is noted")
            self._tell(staff, channel, (False, "the channel rests") if channel in stays else well)
        for staff, channel in self._told.keys() - noted:
            if channel != APP:
                self._tell(staff, channel, (False, "no address is noted"))

    def _learn(self, records: dict[str, bytes | None] | dict[str, bytes]) -> None:
        for key, body in records.items():
            staff, _, channel = key.removeprefix(_RECORD).partition("\0")
            if body is None:
                self._told.pop((staff, channel), None)
            else:
                self._told[staff, channel] = msgspec.json.decode(body, type=Reach).reachable

    def _tell(self, staff: str, channel: str, word: Word) -> None:
        reachable, reason = word
        if self._told.get((staff, channel)) is reachable:
            return
        said = {"channel": channel, "reachable": reachable, "reason": reason}
        frame = Frame(
            Transport.RECEIPT,
            f"staff/{staff}/reach",
            msgspec.json.encode(said),
            self._clock.now(),
            ingress="reach",
        )
        if self._intake.offer(frame):
            self._told[staff, channel] = reachable
