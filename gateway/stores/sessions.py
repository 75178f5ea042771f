"""Where the MQTT listener keeps sessions, outgoing messages, retained configuration and wills."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from gateway.contract import StoreUnavailableError
from gateway.stores.sqlite import carry_out, open_durable

_SCHEMA = "CREATE TABLE IF NOT EXISTS record (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"

_VERSION = 1


class SqliteSessionStore:
    """Session records in an SQLite file of their own; `save` returns when they are on disk."""

    def __init__(self, path: Path) -> None:
        self._connection = open_durable(path, _SCHEMA, _VERSION)

    def load(self) -> dict[str, bytes]:
        """Return every kept record by key; raises StoreUnavailableError."""
        try:
            return dict(self._connection.execute("SELECT key, value FROM record"))
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"the sessions cannot be read: {error}") from error

    def save(self, records: Mapping[str, bytes | None]) -> None:
        """Write all records or none; None removes; raises StoreUnavailableError."""
        kept = [(key, value) for key, value in records.items() if value is not None]
        removed = [(key,) for key, value in records.items() if value is None]
        carry_out(
            self._connection,
            [("INSERT OR REPLACE INTO record", kept), ("DELETE FROM record WHERE key = ?", removed)],
        )

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


class MemorySessionStore:
    """Session records that live as long as this object: for tests and for a listener without a disk."""

    def __init__(self) -> None:
        self._records: dict[str, bytes] = {}

    def load(self) -> dict[str, bytes]:
        """Return every kept record by key."""
        return dict(self._records)

    def save(self, records: Mapping[str, bytes | None]) -> None:
        """Write records, None removes."""
        for key, value in records.items():
            if value is None:
                self._records.pop(key, None)
            else:
                self._records[key] = value

    def close(self) -> None:
        """Keep the records: opening the store again finds them."""
