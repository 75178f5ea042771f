"""Names: every reference becomes a pseudonym by a key that nobody keeps, or stays where that is wanted."""

from hashlib import blake2b
from secrets import token_bytes
from typing import Protocol

from gateway.model.registry import WHOLE_TENANT
from gateway.model.synthetic import SYNTHETIC

KEY_BYTES = 32
NAME_BYTES = 8
DIGEST_BYTES = 8
WORDS = frozenset(
    {
        *("carer", "nurse", "lead", "technician", "delegation", "keys"),
        *("night_wandering", "bed_watch", "vehicle_watch", "zone_high"),
        *("entrance_door", "balcony_door", "lamp", "sos", "call", "medication_cabinet"),
        *("bedroom", "bathroom", "kitchen", "hall", "living_room", "toilet", "bed", "chair"),
        *("single", "double", "triple", "long", "short"),
        *("gnss", "gps", "wifi", "cell", "beacon"),
        *("zone", "home"),
    }
)
"""Words that mean something to rules and say nothing about who somebody is; any other becomes a pseudonym."""


class Names(Protocol):
    """What stands for a reference, for a word, and for a payload, throughout one recording."""

    @property
    def kept(self) -> bool:
        """Whether references stay as they are."""
        ...

    def ref(self, name: str) -> str:
        """Return what stands for a reference; the same for the same one."""
        ...

    def word(self, word: str) -> str:
        """Return a word that is known to be harmless, else what stands for it."""
        ...

    def digest(self, *parts: bytes) -> str:
        """Return what tells equal bytes from others, and nothing of what they are."""
        ...


class Pseudonyms:
    """Names by a random key that is gone with this object."""

    kept = False

    def __init__(self) -> None:
        self._key = token_bytes(KEY_BYTES)
        self._known: dict[str, str] = {"": "", SYNTHETIC: SYNTHETIC}

    def ref(self, name: str) -> str:
        """Return the pseudonym of a reference; of all people of a tenant, that of the tenant."""
        found = self._known.get(name)
        if found is None:
            if name.startswith(WHOLE_TENANT):
                found = WHOLE_TENANT + self.ref(name.removeprefix(WHOLE_TENANT))
            else:
                found = "r" + self._mac(name.encode(), NAME_BYTES)
            self._known[name] = found
        return found

    def word(self, word: str) -> str:
        """Return the word if it is a known one, else its pseudonym."""
        return word if word in WORDS else self.ref(word)

    def digest(self, *parts: bytes) -> str:
        """Return a keyed digest; never the name of the same bytes."""
        return self._mac(b"\0payload\0" + b"\0".join(parts), DIGEST_BYTES)

    def _mac(self, told: bytes, size: int) -> str:
        return blake2b(told, key=self._key, digest_size=size).hexdigest()


class Kept:
    """References as they are, for a municipality's own use; payloads are told by a digest all the same."""

    kept = True

    def __init__(self) -> None:
        self._key = token_bytes(KEY_BYTES)

    def ref(self, name: str) -> str:
        """Return the reference."""
        return name

    def word(self, word: str) -> str:
        """Return the word."""
        return word

    def digest(self, *parts: bytes) -> str:
        """Return a keyed digest."""
        return blake2b(b"\0".join(parts), key=self._key, digest_size=DIGEST_BYTES).hexdigest()
