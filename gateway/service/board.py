"""The board: what the engine last committed, as people see it, and the wake-up of whoever is looking."""

import asyncio
import heapq
from collections import OrderedDict
from copy import copy
from datetime import UTC, datetime
from itertools import count
from types import TracebackType
from typing import Self

import msgspec

from gateway.contract import Changes, Snapshot
from gateway.model.alert import Alert, AlertState
from gateway.model.registry import WHOLE_TENANT, Device, Registry, RegistryDocument
from gateway.model.status import DeviceStatus, Discovered
from gateway.pipeline.checks import Checks
from gateway.pipeline.equipment import Equipment
from gateway.pipeline.owned import Owned
from gateway.pipeline.people import People

_LAST = datetime.max.replace(tzinfo=UTC)


class Update(msgspec.Struct, frozen=True):
    """Alerts as they stood at `cursor`. `reload` says that too much was missed: ask for everything again."""

    cursor: int
    alerts: tuple[Alert, ...] = ()
    reload: bool = False


class Subscription:
    """One listener. Only an alert's newest state waits for it, so a slow page costs no memory.

    `teams` narrows whom it can reach (empty: everybody); `page` tells that a person, `who`, looks at it.
    """

    def __init__(self, board: "Board", limit: int, teams: frozenset[str], *, page: bool, who: str) -> None:
        self.teams = teams
        self.who = who
        self.page = page
        self.closed = False
        self._board = board
        self._limit = limit
        self._waiting: dict[str, Alert] = {}
        self._reload = False
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._board.enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._board.leave(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Update:
        await self._news.wait()
        if self.closed:
            raise StopAsyncIteration
        return self._take()

    async def next(self, timeout_s: float) -> Update | None:
        """Return the next update, or None when there was none in that time or the board was closed."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return None
        return None if self.closed else self._take()

    def put(self, alerts: dict[str, Alert]) -> None:
        """Let the alerts wait; past the limit they become one reload."""
        if not self._reload:
            self._waiting.update(alerts)
            if len(self._waiting) > self._limit:
                self.ask_reload()
        self._news.set()

    def ask_reload(self) -> None:
        """Drop what waits: the listener must read everything again."""
        self._waiting.clear()
        self._reload = True
        self._news.set()

    def end(self) -> None:
        """Let the listener go."""
        self.closed = True
        self._news.set()

    def _take(self) -> Update:
        update = Update(self._board.cursor, tuple(self._waiting.values()), self._reload)
        self._waiting.clear()
        self._reload = False
        self._news.clear()
        return update


class Board:
    """The committed view, fed by the engine after each commit. All methods belong to the event loop.

    `queue_limit` different alerts may wait for one listener before it must reload; the reasons of the
    last `refusals_kept` refused answers and `discovered_kept` unknown devices are remembered, the oldest
    forgotten first.
    """

    def __init__(
        self, *, queue_limit: int = 500, refusals_kept: int = 10_000, discovered_kept: int = 10_000
    ) -> None:
        self.cursor = 0
        self.registry = Registry(RegistryDocument())
        self.statuses: dict[str, DeviceStatus] = {}
        self.discovered: dict[str, Discovered] = {}
        self.people = People({}, _kept_already)
        self.equipment = Equipment({}, _kept_already)
        self.owned = Owned({}, _kept_already)
        self.checks = Checks({}, _kept_already)
        self._alerts: dict[str, Alert] = {}
        self._subscriptions: set[Subscription] = set()
        self._queue_limit = queue_limit
        self._refusals: OrderedDict[int, str] = OrderedDict()
        self._refusals_kept = refusals_kept
        self._discovered_kept = discovered_kept
        self._waiters: list[tuple[int, int, asyncio.Future[str]]] = []
        self._numbers = count()
        self._closed = False

    def load(self, snapshot: Snapshot) -> None:
        """Take over the state as of the last commit; whoever listens must read everything again."""
        self.registry = Registry.of(snapshot.registry)
        self.people = People(snapshot.records, _kept_already)
        self.equipment = Equipment(snapshot.records, _kept_already)
        self.owned = Owned(snapshot.records, _kept_already)
        self.checks = Checks(snapshot.records, _kept_already)
        # Copies: the engine changes its own in place, and people see only what was committed.
        self.statuses = {key: copy(status) for key, status in snapshot.statuses.items()}
        self.discovered = {key: copy(device) for key, device in snapshot.discovered.items()}
        self._alerts = {key: alert for key, alert in snapshot.alerts.items() if _is_open(alert)}
        for subscription in self._subscriptions:
            subscription.ask_reload()
        self._pass(snapshot.cursor, {})

    def publish(self, changes: Changes, cursor: int) -> None:
        """Show what one commit changed; costs as much as the changes."""
        if changes.registry is not None:
            self.registry = Registry.of(changes.registry)
        self.statuses.update(changes.statuses)
        for key, body in changes.records.items():
            self.people.take(key, body)
            self.equipment.take(key, body)
            self.owned.take(key, body)
            self.checks.take(key, body)
        self._discover(changes.discovered)
        for key, alert in changes.alerts.items():
            if _is_open(alert):
                self._alerts[key] = alert
            else:
                self._alerts.pop(key, None)
        self._pass(cursor, changes.refusals)
        if changes.alerts:
            for subscription in self._subscriptions:
                subscription.put(changes.alerts)

    def open_alerts(self) -> list[Alert]:
        """Return the open alerts: most severe first, then by the nearest deadline, then the oldest."""
        return sorted(self._alerts.values(), key=urgency)

    def device(self, name: str) -> Device | None:
        """Return a registered device."""
        return self.registry.devices.get(name)

    def status(self, name: str) -> DeviceStatus | None:
        """Return the latest word of a device."""
        return self.statuses.get(name)

    def alert(self, alert_id: str) -> Alert | None:
        """Return an open alert."""
        return self._alerts.get(alert_id)

    def subscribe(
        self, *, teams: frozenset[str] = frozenset(), page: bool = False, who: str = ""
    ) -> Subscription:
        """Return a listener to enter; it hears of every change from then on."""
        return Subscription(self, self._queue_limit, teams, page=page, who=who)

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._subscriptions)

    def watched(self, recipient: str) -> bool:
        """Tell whether a page is open of this person, or one that shows the alerts of this team.

        A whole `tenant:<id>` means each of its teams.
        """
        pages = [one for one in self._subscriptions if one.page]
        if any(one.who == recipient for one in pages):
            return True
        if self.registry.teams and recipient not in self.registry.teams and WHOLE_TENANT not in recipient:
            return False  # another person
        meant = self.registry.teams_meant(recipient)
        return any(not one.teams or not meant.isdisjoint(one.teams) for one in pages)

    async def settled(self, position: int, timeout_s: float) -> str:
        """Wait until the engine has passed that journal position; return "" or why it refused.

        Raises TimeoutError when it does not pass in time: the answer is on disk and will still be judged.
        """
        if position <= self.cursor:
            return self._refusals.get(position, "")
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (position, next(self._numbers), waiter))
        async with asyncio.timeout(timeout_s):
            return str(await waiter)

    def enter(self, subscription: Subscription) -> None:
        """Begin to tell a listener; `async with board.subscribe()` does it."""
        self._subscriptions.add(subscription)
        if self._closed:
            subscription.end()

    def leave(self, subscription: Subscription) -> None:
        """Stop telling a listener."""
        self._subscriptions.discard(subscription)

    def close(self) -> None:
        """Let every listener go, so that a server can stop without waiting for them."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.end()

    def _discover(self, found: dict[str, Discovered | None]) -> None:
        for key, device in found.items():
            if device is not None:
                self.discovered[key] = device
            else:  # enrolled now
                self.discovered.pop(key, None)
        while len(self.discovered) > self._discovered_kept:
            self.discovered.pop(next(iter(self.discovered)))

    def _pass(self, cursor: int, refusals: dict[int, str]) -> None:
        self.cursor = cursor
        while self._waiters and self._waiters[0][0] <= cursor:
            position, _, waiter = heapq.heappop(self._waiters)
            if not waiter.done():
                waiter.set_result(refusals.get(position, ""))
        self._refusals.update(refusals)
        while len(self._refusals) > self._refusals_kept:
            self._refusals.popitem(last=False)


def _kept_already(_key: str, _body: bytes | None) -> None:
    """Do nothing: what the board shows was committed before."""


def urgency(alert: Alert) -> tuple[int, datetime, datetime, str]:
    """Return the place of an alert in a list: High first, then whose deadline is nearest, then the oldest."""
    return (alert.severity.rank, alert.deadline or _LAST, alert.raised_at, alert.id)


def _is_open(alert: Alert) -> bool:
    return alert.state is not AlertState.CLOSED
