"""Where taps keep how far they are, what their receivers proved, and what those refused."""

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.contract import Handed, Letter, StoreUnavailableError
from gateway.stores.sqlite import Statement, carry_out, open_durable, open_read_only

FILE = "taps.db"
"""Below the data directory."""
VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS cursors (tap TEXT PRIMARY KEY, upto INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS begun (tap TEXT PRIMARY KEY, after INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS proofs (
  tap TEXT NOT NULL,
  item TEXT NOT NULL,
  at_us INTEGER NOT NULL,
  proof TEXT NOT NULL,
  PRIMARY KEY (tap, item)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tap TEXT NOT NULL,
  item TEXT NOT NULL,
  reason TEXT NOT NULL,
  at_us INTEGER NOT NULL,
  body BLOB NOT NULL,
  UNIQUE (tap, item)
);
CREATE TABLE IF NOT EXISTS given_up (
  tap TEXT NOT NULL,
  item TEXT NOT NULL,
  at_us INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (tap, item)
) WITHOUT ROWID
"""
LOOKUP = 500


class SqliteCursors:
    """A file of its own, for the state has one writer; one that is lost begins all taps anew.

    A commit does not wait for the disk, so that the fsyncs of alerts have it for themselves: a kill loses
    nothing of it, a power cut the last of it as a whole, and what stood there is carried out once more.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._connection = open_read_only(path, VERSION) if read_only else open_durable(path, SCHEMA, VERSION)
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._asking = threading.Lock()

    def cursor(self, tap: str) -> int | None:
        """Return how far a tap is, None for one that never was."""
        found = self._ask("SELECT upto FROM cursors WHERE tap = ?", (tap,))
        return found[0][0] if found else None

    def begun(self, tap: str) -> int | None:
        """Return the position after which a tap began, None for one that never was."""
        found = self._ask("SELECT after FROM begun WHERE tap = ?", (tap,))
        return found[0][0] if found else None

    def commit(self, tap: str, upto: int, handed: Sequence[Handed], at_us: int) -> None:
        """Write a tap's place, proofs and dead letters in one transaction; of each item the last word."""
        words = {one.item: one for one in handed}.values()
        refused = [(tap, one.item, one.refused, at_us, one.body) for one in words if one.refused]
        proofs = [(tap, one.item, at_us, one.proof) for one in words if one.proof and not one.refused]
        named = [row[:2] for row in (*proofs, *refused)]
        statements: list[Statement] = [
            ("INSERT OR IGNORE INTO begun", [(tap, upto)]),
            ("INSERT OR REPLACE INTO cursors", [(tap, upto)]),
            ("INSERT OR REPLACE INTO proofs", proofs),
            ("DELETE FROM letters WHERE tap = ? AND item = ?", named),
            ("DELETE FROM given_up WHERE tap = ? AND item = ?", named),
            ("INSERT INTO letters (tap, item, reason, at_us, body)", refused),
        ]
        self._carry_out([(sql, rows) for sql, rows in statements if rows])

    def settle(self, letter: Letter, handed: Handed | None, at_us: int) -> None:
        """Remove a dead letter: it arrived (`handed` with its proof), or a person gave it up (None)."""
        statements: list[Statement] = [("DELETE FROM letters WHERE id = ?", [(letter.id,)])]
        if handed is not None:
            proof = (letter.tap, handed.item, at_us, handed.proof)
            statements.append(("INSERT OR REPLACE INTO proofs", [proof]))
        else:
            given_up = (letter.tap, letter.item, at_us, letter.reason)
            statements.append(("INSERT OR REPLACE INTO given_up", [given_up]))
        self._carry_out(statements)

    def letters(self, tap: str, limit: int) -> Sequence[Letter]:
        """Return the oldest dead letters of a tap."""
        return self._letters("tap = ? ORDER BY id LIMIT ?", (tap, limit))

    def letter(self, tap: str, number: int) -> Letter | None:
        """Return one dead letter of a tap."""
        return next(iter(self._letters("tap = ? AND id = ?", (tap, number))), None)

    def waiting(self, tap: str) -> int:
        """Return how many dead letters a tap has."""
        (found,) = self._ask("SELECT count(*) FROM letters WHERE tap = ?", (tap,))
        return int(found[0])

    def proofs(self, tap: str, items: Sequence[str]) -> Mapping[str, str]:
        """Return the receiver's proofs of these items, those that have one."""
        found: dict[str, str] = {}
        for start in range(0, len(items), LOOKUP):
            part = items[start : start + LOOKUP]
            marks = ",".join("?" * len(part))
            asked = f"SELECT item, proof FROM proofs WHERE tap = ? AND item IN ({marks})"  # noqa: S608 - marks only
            found.update(self._ask(asked, (tap, *part)))
        return found

    def given_up(self, tap: str) -> Mapping[str, str]:
        """Return the items that a person gave up, with why they were refused."""
        if not self._ask("SELECT 1 FROM sqlite_master WHERE name = 'given_up'", ()):
            return {}  # a file of an older gateway that is only looked at
        return dict(self._ask("SELECT item, reason FROM given_up WHERE tap = ?", (tap,)))

    def close(self) -> None:
        """Release the file."""
        with self._asking:
            self._connection.close()

    def _letters(self, where: str, values: Sequence[object]) -> list[Letter]:
        asked = f"SELECT id, tap, item, reason, at_us, body FROM letters WHERE {where}"  # noqa: S608 - our own words
        return [
            Letter(id=number, tap=name, item=item, reason=reason, at_us=at_us, body=body)
            for number, name, item, reason, at_us, body in self._ask(asked, values)
        ]

    def _carry_out(self, statements: Sequence[Statement]) -> None:
        with self._asking:
            carry_out(self._connection, statements)

    def _ask(self, query: str, values: Sequence[object]) -> list[tuple]:  # type: ignore[type-arg] # as sqlite3 gives them
        try:
            with self._asking:
                return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"the file of the taps cannot be read: {error}") from error
