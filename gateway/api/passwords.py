"""Passwords and tokens: what the configuration keeps, and checking without wearing the machine out."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from secrets import token_urlsafe

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import status

from gateway.api.errors import ApiError
from gateway.config import UserSettings
from gateway.contract import Clock

MAX_PASSWORD_CHARACTERS = 1024
WINDOW = timedelta(minutes=5)
TRIES_BY_USER_AND_ADDRESS = 5
TRIES_BY_ADDRESS = 20
TRIES_BY_USER = 50
"""Failed tries within the window before the next is refused unheard.

The limit by user alone is wide, so that a stranger cannot easily keep a carer out.
"""

MAX_COUNTED = 10_000
"""Counters kept; the one used longest ago is forgotten."""

AT_ONCE = 2
WAITING = 32
"""Hashes computed at once (64 MiB each), and how many may wait for their turn."""


def token_hash(token: str) -> str:
    """Return the hash of an API token as the configuration keeps it: BLAKE2b, 32 bytes, hexadecimal.

    A fast hash is right here because the token is 256 random bits, not a word that could be guessed.
    """
    return blake2b(token.encode(), digest_size=32).hexdigest()


def new_token() -> tuple[str, str]:
    """Return a fresh API token and the hash to configure."""
    token = f"vaka_{token_urlsafe(32)}"
    return token, token_hash(token)


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password as the configuration keeps it (about 50 ms of work)."""
    return PasswordHasher().hash(password)


class TooManyTriesError(ApiError):
    """Too many failed tries, or too many people signing in at once; says when to try again."""

    def __init__(self, retry_s: int) -> None:
        super().__init__(
            status.HTTP_429_TOO_MANY_REQUESTS,
            "too_many_tries",
            f"too many tries: wait {retry_s} seconds",
            {"Retry-After": str(retry_s)},
        )


class Passwords:
    """The door for local users."""

    def __init__(self, users: Sequence[UserSettings], clock: Clock) -> None:
        self._users = {user.name: user for user in users}
        self._clock = clock
        self._hasher = PasswordHasher()
        # An unknown name costs the same work as a wrong password, so that names cannot be found out.
        self._nobody = self._hasher.hash(token_urlsafe(16)) if users else ""
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._inside = 0
        self._tries: OrderedDict[tuple[str, ...], deque[datetime]] = OrderedDict()

    async def check(self, name: str, password: str, address: str) -> UserSettings | None:
        """Return the user when the password fits, else None; raises TooManyTriesError."""
        limits = {
            ("both", name, address): TRIES_BY_USER_AND_ADDRESS,
            ("address", address): TRIES_BY_ADDRESS,
            ("user", name): TRIES_BY_USER,
        }
        self._admit(limits)
        user = self._users.get(name)
        stored = user.password_hash.get_secret_value() if user else self._nobody
        if not stored or len(password) > MAX_PASSWORD_CHARACTERS:
            return None
        if not await self._verify(stored, password) or user is None:
            return None
        self._tries.pop(("both", name, address), None)
        return user

    def _admit(self, limits: dict[tuple[str, ...], int]) -> None:
        """Count the try before the work is done, so that tries side by side are counted too."""
        now = self._clock.now()
        for key, limit in limits.items():
            tries = self._tries.get(key)
            while tries and tries[0] <= now - WINDOW:
                tries.popleft()
            if tries and len(tries) >= limit:
                raise TooManyTriesError(max(1, int((tries[0] + WINDOW - now).total_seconds())))
        for key in limits:
            self._tries.setdefault(key, deque()).append(now)
            self._tries.move_to_end(key)
        while len(self._tries) > MAX_COUNTED:
            self._tries.popitem(last=False)

    async def _verify(self, stored: str, password: str) -> bool:
        if self._inside >= AT_ONCE + WAITING:
            raise TooManyTriesError(5)
        self._inside += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self._fits, stored, password)
        finally:
            self._inside -= 1

    def _fits(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
