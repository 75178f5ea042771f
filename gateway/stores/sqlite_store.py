"""Journal and state in SQLite: one transaction a batch, frames and what they changed together."""

from pathlib import Path

from gateway.contract import Changes
from gateway.stores.commit import PRUNE, statements_of
from gateway.stores.schema import SCHEMA, VERSION
from gateway.stores.sqlite import Checkpointer, carry_out, open_durable
from gateway.stores.state_reader import StateReader

PRUNE_EVERY = 1_000


class SqliteStore(StateReader):
    """Commits come from the engine's one thread; questions may come from any."""

    def __init__(self, path: Path) -> None:
        self._writer = open_durable(path, SCHEMA, VERSION)
        super().__init__(path)
        self._checkpointer = Checkpointer(path)
        self._commits = 0

    def commit(self, changes: Changes, cursor: int) -> None:
        """Write everything and the cursor in one durable transaction, or nothing."""
        self._commits += 1
        statements = statements_of(changes, cursor)
        if self._commits % PRUNE_EVERY == 0:
            statements += PRUNE
        carry_out(self._writer, statements)

    def close(self) -> None:
        """Release the file."""
        self._checkpointer.close()
        super().close()
        self._writer.close()
