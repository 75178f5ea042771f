"""Saves the listener's records beside the traffic: one thread, and many records in one transaction."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from gateway.contract import SessionStore, StoreUnavailableError

RETRY_S = 1.0

log = logging.getLogger("gateway.transports.mqtt_listener")


class Keeper:
    """Takes changed records at once, writes them in groups, and forgets none while the disk refuses."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mqtt sessions")
        self._changed: dict[str, bytes | None] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._writer: asyncio.Task[None] | None = None

    async def load(self) -> dict[str, bytes]:
        """Return every kept record by key."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._store.load)

    def put(self, key: str, record: bytes | None) -> None:
        """Take a record to be written soon; None removes it."""
        self._changed[key] = record
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())

    def saved(self) -> "asyncio.Future[None]":
        """Return a future: done when all that was put is on disk, StoreUnavailableError if it is refused."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._writer is None:
            future.set_result(None)
        else:
            self._waiters.append(future)
        return future

    async def close(self) -> None:
        """Write what is left, once, and end the thread; the store itself stays open."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])
        try:
            if self._changed:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._executor, self._store.save, self._changed)
        except StoreUnavailableError as error:
            log.warning("%d session records were not saved at the end: %s", len(self._changed), error)
        self._executor.shutdown()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._changed:
            batch, self._changed = self._changed, {}
            waiters, self._waiters = self._waiters, []
            saving = loop.run_in_executor(self._executor, self._store.save, batch)
            try:
                await asyncio.shield(saving)
            except StoreUnavailableError as error:
                log.warning("session records wait for the disk: %s", error)
                self._changed = {**batch, **self._changed}
                _settle(waiters, error)
                await asyncio.sleep(RETRY_S)
            except asyncio.CancelledError:
                self._changed = {**batch, **self._changed}
                _settle([*waiters, *self._waiters], StoreUnavailableError("the listener is stopping"))
                raise
            else:
                _settle(waiters, None)
        self._writer = None
        _settle(self._waiters, None)
        self._waiters = []


def _settle(waiters: list[asyncio.Future[None]], error: Exception | None) -> None:
    for waiter in waiters:
        if waiter.done():
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)
