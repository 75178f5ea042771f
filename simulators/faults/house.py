"""The gateway's own faults: it ends at any point of its work, or its disk takes nothing for a while."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from gateway.contract import Changes, Store, StoreUnavailableError
from gateway.model.frame import Frame
from gateway.pipeline.decode import Decoded
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from gateway.stores.sqlite_store import SqliteStore
from simulators.faults.active import Active
from simulators.faults.spec import Crash, Disk
from simulators.house.port import Crashed, Setting
from simulators.house.whole import Whole


class Script:
    """Which of the gateway's own faults are due; each crash happens once."""

    def __init__(self, faults: Sequence[Active]) -> None:
        crashes = [(one.begins, one.fault) for one in faults if isinstance(one.fault, Crash)]
        self._crashes = sorted(
            [(at, one) for at, one in crashes if one.point != "idle"], key=lambda two: two[0]
        )
        self._disks = [one for one in faults if isinstance(one.fault, Disk)]
        self.now: Callable[[], datetime] | None = None
        self.fell: Crash | None = None

    def refuses(self) -> bool:
        """Tell whether the disk takes nothing now."""
        return self.now is not None and any(one.begins <= self.now() < one.ends for one in self._disks)

    def at(self, point: str) -> None:
        """Come to a point of the work; raises Crashed when the script says so."""
        if self.now is None or not self._crashes:
            return
        begins, crash = self._crashes[0]
        if crash.point == point and begins <= self.now():
            self._crashes.pop(0)
            self.fell = crash
            raise Crashed(point)


class FailingStore(SqliteStore):
    """The real store, with what can go wrong around its commit."""

    def __init__(self, path: Path, script: Script) -> None:
        super().__init__(path)
        self._script = script

    def commit(self, changes: Changes, cursor: int) -> None:
        """Write it, unless the disk refuses or the gateway ends just before or just after."""
        if self._script.refuses():
            raise StoreUnavailableError("no space left on the simulated disk")
        self._script.at("before_commit")
        super().commit(changes, cursor)
        self._script.at("before_telling")


class FailingWalk(Walk):
    """A walk that can end between two of its steps."""

    def __init__(self, walk: Walk, script: Script) -> None:
        self.table, self.rules, self.channels = walk.table, walk.rules, walk.channels
        self._walk, self._script = walk, script

    def step(
        self, state: State, frame: Frame, decoded: Decoded, known: frozenset[str], processed_at: datetime
    ) -> None:
        """Take the step."""
        self._walk.step(state, frame, decoded, known, processed_at)
        self._script.at("mid_batch")


class FailingHouse(Whole):
    """The whole gateway with the faults that a scenario gives it."""

    def __init__(self, setting: Setting, folder: Path, faults: Sequence[Active]) -> None:
        self.script = Script(faults)
        super().__init__(replace(setting, walk=FailingWalk(setting.walk, self.script)), folder)
        self.script.now = self.clock.now

    def open_store(self) -> Store:
        """Open the files behind the script."""
        return FailingStore(self.folder / "state.db", self.script)
