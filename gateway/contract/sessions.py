"""The ports that the MQTT listener needs: sessions, credentials, the registry."""

from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.model.registry import Device, Registry


class SessionStore(Protocol):
    """Where the listener keeps sessions, outgoing messages and retained configuration over a restart."""

    def load(self) -> dict[str, bytes]:
        """Return every kept record by key."""
        ...

    def save(self, records: Mapping[str, bytes | None]) -> None:
        """Write records durably, None removes; raises StoreUnavailableError."""
        ...

    def close(self) -> None:
        """Release the storage."""
        ...


CredentialCheck = Callable[[str, str, str], Device | None]
"""(username, password, certificate common name) -> the registered device, or None."""

RegistrySource = Callable[[], Registry]
"""Returns the registry as last committed."""
