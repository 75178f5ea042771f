"""Memory: which address is which device, and the configurations that wait for devices, over a restart."""

import logging

from gateway.contract import SessionStore, StoreUnavailableError

log = logging.getLogger(__name__)

BOND, CONFIG = "bond/", "config/"


class Memory:
    """Read once at the start; `bind` and `keep` write at once, for both are rare."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._records = store.load()

    def identity(self, address: str) -> str:
        """Return whose word an address speaks, "" while nobody knows."""
        return self._records.get(BOND + address, b"").decode()

    def bind(self, address: str, identity: str) -> None:
        """Remember whose an address is; a disk that refuses costs the memory of it after a restart only."""
        self._records[BOND + address] = identity.encode()
        try:
            self._store.save({BOND + address: identity.encode()})
        except StoreUnavailableError as error:
            log.warning("the bond of a device is not on disk: %s", error)

    def keep(self, topic: str, payload: bytes) -> None:
        """Keep the newest configuration of a topic, an empty one removes it; raises StoreUnavailableError."""
        self._store.save({CONFIG + topic: payload or None})
        if payload:
            self._records[CONFIG + topic] = payload
        else:
            self._records.pop(CONFIG + topic, None)

    def kept(self) -> dict[str, bytes]:
        """Return the configurations by topic."""
        start = len(CONFIG)
        return {key[start:]: value for key, value in self._records.items() if key.startswith(CONFIG)}

    def close(self) -> None:
        """Release the storage."""
        self._store.close()
