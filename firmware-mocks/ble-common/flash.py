"""What survives a loss of power: events until they are acknowledged, the configuration, answers to commands."""
import sqlite3

import cbor2

ANSWERS = 64


class Flash:
    """SQLite stands for the flash: a commit is on the disk, and AUTOINCREMENT never gives a number twice."""

    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=FULL")
        with self.db:
            self.db.execute("CREATE TABLE IF NOT EXISTS event"
                            " (sequence INTEGER PRIMARY KEY AUTOINCREMENT, value BLOB NOT NULL)")
            self.db.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB NOT NULL)")

    def put(self, make):
        """Keep the event that `make(sequence)` returns; it is on the disk when this returns."""
        with self.db:
            sequence = self.db.execute("INSERT INTO event (value) VALUES (x'')").lastrowid
            value = cbor2.dumps(make(sequence))
            self.db.execute("UPDATE event SET value = ? WHERE sequence = ?", (value, sequence))
        return sequence

    def after(self, sequence):
        """The oldest kept event with a higher number, as (sequence, bytes), or None."""
        return self.db.execute(
            "SELECT sequence, value FROM event WHERE sequence > ? ORDER BY sequence LIMIT 1", (sequence,)).fetchone()

    def forget(self, sequence):
        """Everything up to that number is on the gateway's disk."""
        with self.db:
            self.db.execute("DELETE FROM event WHERE sequence <= ?", (sequence,))

    def backlog(self):
        """How many events wait, and the number of the oldest (of the next one when none waits)."""
        count, oldest = self.db.execute("SELECT count(*), min(sequence) FROM event").fetchone()
        return count, oldest if count else self.last() + 1

    def last(self):
        """The highest number that was ever given."""
        row = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
        return row[0] if row else 0

    def load(self, key, otherwise):
        row = self.db.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
        return cbor2.loads(row[0]) if row else otherwise

    def save(self, key, value):
        with self.db:
            self.db.execute("INSERT INTO kept VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                            (key, cbor2.dumps(value)))

    def answered(self, key):
        """The answer that this command had, or None."""
        return dict(self.load("answers", [])).get(key)

    def answer(self, key, result):
        self.save("answers", [*self.load("answers", []), [key, result]][-ANSWERS:])
