"""Where people at work can be reached, in an SQLite file of its own: personal data, nowhere else."""

from pathlib import Path

from gateway.contract import StoreUnavailableError
from gateway.stores.sqlite import Reader, open_durable, transaction

VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS contact (
  place INTEGER PRIMARY KEY,
  recipient TEXT NOT NULL,
  channel TEXT NOT NULL,
  address TEXT NOT NULL,
  UNIQUE (recipient, channel, address)
);
CREATE UNIQUE INDEX IF NOT EXISTS one_owner ON contact (address) WHERE channel = 'webpush';
"""
MAX_ADDRESSES = 10
"""Addresses kept of one recipient and channel (a person's phones and browsers); the oldest ones go first."""


class SqliteContacts:
    """A contact book on disk; several processes may use it at once (`vaka contacts` beside the gateway)."""

    def __init__(self, path: Path) -> None:
        _make_private(path)
        self._writer = open_durable(path, SCHEMA, VERSION)
        self._reader = Reader(path, VERSION)

    def addresses(self, recipient: str, channel: str) -> list[str]:
        """Return the addresses of a team or person for a channel, newest last; StoreUnavailableError."""
        query = "SELECT address FROM contact WHERE recipient = ? AND channel = ? ORDER BY place"
        return [row[0] for row in self._reader.ask(query, (recipient, channel))]

    def note(self, recipient: str, channel: str, address: str) -> None:
        """Keep an address; noting it again moves it last. A browser is one person's: the last who said so."""
        writer = self._writer
        with transaction(writer):
            if channel == "webpush":
                writer.execute("DELETE FROM contact WHERE channel = ? AND address = ?", (channel, address))
            writer.execute(
                "INSERT OR REPLACE INTO contact (recipient, channel, address) VALUES (?,?,?)",
                (recipient, channel, address),
            )
            writer.execute(
                "DELETE FROM contact WHERE recipient = ? AND channel = ? AND place NOT IN (SELECT place FROM "
                "contact WHERE recipient = ? AND channel = ? ORDER BY place DESC LIMIT ?)",
                (recipient, channel, recipient, channel, MAX_ADDRESSES),
            )

    def remove(self, recipient: str, channel: str, address: str | None = None) -> int:
        """Forget an address, or all of a recipient's for the channel; return how many there were."""
        with transaction(self._writer):
            cursor = self._writer.execute(
                "DELETE FROM contact WHERE recipient = ? AND channel = ? AND (? IS NULL OR address = ?)",
                (recipient, channel, address, address),
            )
        return cursor.rowcount

    def noted(self) -> frozenset[tuple[str, str]]:
        """Return every recipient and channel with an address."""
        return frozenset(self._reader.ask("SELECT DISTINCT recipient, channel FROM contact"))

    def close(self) -> None:
        """Release the file."""
        self._reader.close()
        self._writer.close()


def _make_private(path: Path) -> None:
    """Let only the gateway's user read the file; SQLite's own files beside it take the same mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError as error:
        raise StoreUnavailableError(f"{path}: cannot be kept: {error.strerror}") from error
