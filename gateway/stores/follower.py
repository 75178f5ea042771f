"""Follower: the state file as another process reads it, with the registry that belongs to what was read."""

import threading
from pathlib import Path

from gateway.contract import Page
from gateway.model.registry import Registry, RegistryDocument
from gateway.stores.state_reader import StateReader, registry_changed_at, stored_registry


class Follower(StateReader):
    """Pages of the log; after one, `registry` is at least as new as what the page tells of."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._renewing = threading.Lock()
        self._changed_at = -1
        self._registry = Registry(RegistryDocument())
        self._renew()

    def registry(self) -> Registry:
        """Return the registry as of the last page that was read."""
        return self._registry

    def page(self, after: int, frames: int) -> Page:
        """Return what at most so many frames after that position wrote."""
        page = super().page(after, frames)
        self._renew()
        return page

    def _renew(self) -> None:
        with self._renewing:
            changed_at = registry_changed_at(self._reader)
            if changed_at != self._changed_at:
                self._registry = Registry(stored_registry(self._reader))
                self._changed_at = changed_at
