"""Journal and state in SQLite: one transaction a batch, frames and what they changed together."""

from collections.abc import Iterable
from contextlib import closing
from itertools import chain
from pathlib import Path

from gateway.contract import Changes
from gateway.stores.commit import PRUNE, statements_of
from gateway.stores.schema import SCHEMA, VERSION
from gateway.stores.sqlite import Checkpointer, Statement, carry_out, open_durable
from gateway.stores.state_reader import StateReader

PRUNE_EVERY = 1_000


class SqliteStore(StateReader):
    """Commits come from the engine's one thread; questions may come from any."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = open_durable(path, SCHEMA, VERSION)
        super().__init__(path)
        self._checkpointer = Checkpointer(path)
        self._commits = 0

    def commit(self, changes: Changes, cursor: int) -> None:
        """Write everything and the cursor in one durable transaction, or nothing."""
        self._commits += 1
        statements: Iterable[Statement] = statements_of(changes, cursor)
        if self._commits % PRUNE_EVERY == 0:
            statements = chain(statements, PRUNE)
        if changes.registry is None:
            carry_out(self._writer, statements)
            return
        # A connection keeps pages and the last values of its statements: those of a whole municipality
        # would fill more memory than its state does, so they go with a connection of their own.
        with closing(open_durable(self._path, SCHEMA, VERSION)) as once:
            carry_out(once, statements)

    def close(self) -> None:
        """Release the file."""
        self._checkpointer.close()
        super().close()
        self._writer.close()
