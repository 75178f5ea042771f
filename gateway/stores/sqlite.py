"""What our SQLite files have in common: durable settings, checkpoints beside the traffic, clear errors."""

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from gateway.contract import ConfigurationError, StoreUnavailableError

log = logging.getLogger(__name__)

CHECKPOINT_EVERY_S = 1.0
AUTOCHECKPOINT_PAGES = 16_000
"""The writer's own checkpoint, only reached when the one beside the traffic cannot keep up (64 MB of log)."""
ROWS_A_STEP = (128, 64, 32, 16, 8, 4, 2, 1)
"""Sizes of the statements that take many rows; few sizes, so that each is prepared once."""
TRANSIENT = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
    }
)
"""Answers of the database that pass: the same statement may succeed later."""
Row = Sequence[str | int | float | bytes | None]
Statement = tuple[str, Sequence[Row]]
"""An INSERT without its VALUES, which takes many rows a step; anything else is run once a row."""
EPOCH = datetime.fromtimestamp(0, UTC)


def to_us(at: datetime) -> int:
    """Return microseconds since 1970, UTC."""
    return round(at.timestamp() * 1_000_000)


def from_us(us: int) -> datetime:
    """Return the aware UTC moment of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=us)


def open_durable(path: Path, schema: str, version: int) -> sqlite3.Connection:
    """Open a file so that a commit means "on disk" (WAL, synchronous=FULL); make its tables.

    ConfigurationError for a file that another version made: it is never touched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={AUTOCHECKPOINT_PAGES}")
        connection.execute("PRAGMA cache_size=-32000")
        _check_version(connection, path, version)
        # All or nothing: one killed here must not leave tables without their version, which nobody may open.
        connection.executescript(f"BEGIN IMMEDIATE;\n{schema};\nPRAGMA user_version={version};\nCOMMIT;")
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailableError(f"{path}: cannot be opened: {error}") from error
    return connection


def open_read_only(path: Path, version: int) -> sqlite3.Connection:
    """Open a file to look at it, also while a gateway writes it; nothing in it can be changed."""
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
        _check_version(connection, path, version)
    except sqlite3.Error as error:
        raise StoreUnavailableError(f"{path}: cannot be opened: {error}") from error
    return connection


def _check_version(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Refuse, and close, a file that another version made."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    if found != version and not empty:
        connection.close()
        reason = f"{path}: found tables of version {found}; allowed: {version}"
        raise ConfigurationError(f"{reason}. Keep the file for the version that made it")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit everything or nothing; StoreUnavailableError where trying again may help."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF in TRANSIENT:
            raise StoreUnavailableError(f"the database refused: {error}") from error
        raise


def carry_out(connection: sqlite3.Connection, statements: Iterable[Statement]) -> None:
    """Carry out all statements in one durable transaction, or none."""
    with transaction(connection):
        for sql, rows in statements:
            if sql.startswith("INSERT"):
                _insert(connection, sql, rows)
            else:
                connection.executemany(sql, rows)


def _insert(connection: sqlite3.Connection, into: str, rows: Sequence[Row]) -> None:
    """Insert rows of equal width, many to a statement.

    Every statement step lets go of the interpreter lock and must win it back, so a step a row would
    wait for the busy event loop once a row: a hundred rows a step cost a hundredth of that.
    """
    start = 0
    for size in ROWS_A_STEP:
        while len(rows) - start >= size:
            part = rows[start : start + size]
            connection.execute(_statement(into, len(part[0]), size), tuple(chain.from_iterable(part)))
            start += size


@lru_cache(256)
def _statement(into: str, width: int, size: int) -> str:
    marks = f"({','.join('?' * width)})"
    return f"{into} VALUES {','.join([marks] * size)}"


class Checkpointer:
    """Moves committed pages from the log to the file in a thread of its own, so that writers need not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"checkpoint {path.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=1)
        while not self._stop.wait(CHECKPOINT_EVERY_S):
            try:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            except sqlite3.Error as error:  # a full disk is the writer's to report; the log just stays longer
                log.debug("checkpoint put off: %s", error)
        connection.close()


class Reader:
    """A connection that answers questions from any thread, also while a gateway writes the file."""

    def __init__(self, path: Path, version: int) -> None:
        self._connection = open_read_only(path, version)
        self._asking = threading.Lock()

    def ask(self, query: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Return all rows; StoreUnavailableError when the file cannot be read."""
        try:
            with self._asking:
                return self._connection.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"the database cannot be read: {error}") from error

    def close(self) -> None:
        """Release the file."""
        self._connection.close()
