"""The level at which a scenario is run in process: from the core alone to packets through a broker."""

from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from gateway.contract import Store
from gateway.contract.errors import ConfigurationError
from gateway.stores.sqlite_store import SqliteStore
from simulators.faults.active import Active
from simulators.faults.house import FailingStore, FailingWalk, Script
from simulators.faults.spec import Connection, Crash, Outage
from simulators.house.fleet import Fleet
from simulators.house.keep import Digest, Keep
from simulators.house.port import Gateway
from simulators.house.wired import Way, Wired
from simulators.scenarios.build import Play

Level = Literal["fleet", "whole", "listener", "broker"]
LEVELS: tuple[Level, ...] = get_args(Level)
ABOUT: dict[Level, str] = {
    "fleet": "the gateway's steps alone, in memory: the fastest, for many homes",
    "whole": "its real intake, engine, store and dispatch",
    "listener": "the same, and every message an MQTT packet to its real listener",
    "broker": "the same, through a broker in memory and its real broker client",
}
STATE_FILE = "state.db"


def read_level(text: str) -> Level:
    """Return a level by its name; ConfigurationError names those there are."""
    for level in LEVELS:
        if level == text:
            return level
    raise ConfigurationError(f"level: found {text!r}; allowed: {', '.join(LEVELS)}")


class FailingWired(Wired):
    """The gateway reached by packets, with the gateway's own faults that a scenario gives it."""

    def __init__(self, play: Play, folder: Path, way: Way) -> None:
        self.script = Script(play.faults)
        setting = replace(play.setting, walk=FailingWalk(play.setting.walk, self.script))
        super().__init__(setting, folder, play.world.passwords, way, play.seed)
        self.script.now = self.clock.now
        for one in play.faults:
            self._plan(one)

    def _plan(self, active: Active) -> None:
        """Put on the loop's agenda what a fault does to connections, and to the broker."""
        fault, network = active.fault, self.loop.network
        at_s, until_s = self.clock.at_s(active.begins), self.clock.at_s(active.ends)
        if isinstance(fault, Connection):
            does = {"cut": network.cut, "half_open": network.half_open, "deaf": network.deafen}[fault.kind]
            for device in sorted(active.devices):
                self.loop.call_at(at_s, does, device)
        elif isinstance(fault, Outage) and fault.kind == "broker" and self.broker is not None:
            self.loop.call_at(at_s, self.broker.stop)
            self.loop.call_at(until_s, self.broker.start)

    def open_store(self) -> Store:
        """Open the files behind the script."""
        return FailingStore(self.folder / STATE_FILE, self.script)


def make_gateway(play: Play, level: Level, folder: Path, *, filed: bool) -> Gateway:
    """Make the gateway of a level; with `filed` the core alone keeps its files too."""
    if level == "fleet":
        crashes = any(isinstance(one.fault, Crash) for one in play.faults)
        keep: Keep = SqliteStore(folder / STATE_FILE) if filed or crashes else Digest()
        return Fleet(play.setting, keep, falls=crashes)
    if level == "whole":
        return play.whole(folder)
    return FailingWired(play, folder, level)
