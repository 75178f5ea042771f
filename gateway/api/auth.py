"""Who is asking: local users with argon2 hashes, API tokens with scopes, sessions kept in memory."""

import hmac
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import get_args

import msgspec

from gateway.api.passwords import token_hash
from gateway.config import ApiSettings, Scope, TokenSettings, UserSettings
from gateway.contract import Clock

EVERYTHING: frozenset[str] = frozenset(get_args(Scope))
ROLES: dict[str, frozenset[str]] = {
    "staff": frozenset({"alerts:read", "alerts:write"}),
    "lead": frozenset({"alerts:read", "alerts:write", "people:read", "people:write"}),
    "engineer": EVERYTHING,
}
"""What a local user of each role may do."""

MAX_SESSIONS = 10_000
"""Sessions kept at once; the oldest one ends when one more is opened."""


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who asks, and what they may do.

    `teams` empty means that no alert is hidden from them; `tenants` are those a program is narrowed to, empty
    for none. `forgery_token` must come back with every
    change that a browser could be tricked into; it is "" for API tokens, which no browser sends unasked.
    """

    name: str
    scopes: frozenset[str]
    teams: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    forgery_token: str = ""

    def may(self, scope: str) -> bool:
        """Tell whether the actor has this right."""
        return scope in self.scopes


def find_token(token: str, known: Sequence[TokenSettings]) -> Actor | None:
    """Return whose token it is; takes the same time whichever of them matches."""
    found: Actor | None = None
    asked = token_hash(token)
    for one in known:
        if hmac.compare_digest(asked, one.token_hash.get_secret_value().lower()):
            found = _of_token(one)
    return found


def find_actor(name: str, settings: ApiSettings) -> Actor | None:
    """Return what somebody of that name may do today, None for one whom the configuration has no more."""
    if not settings.user and not settings.token:
        local = local_actor()
        return local if local.name == name else None
    tokens = (_of_token(one) for one in settings.token if one.name == name)
    users = (_of_user(one) for one in settings.user if one.name == name)
    return next(tokens, None) or next(users, None)


def _of_token(one: TokenSettings) -> Actor:
    return Actor(name=one.name, scopes=frozenset(one.scopes), tenants=frozenset(one.tenants))


def _of_user(user: UserSettings) -> Actor:
    return Actor(name=user.name, scopes=ROLES[user.role], teams=frozenset(user.teams))


class _Session(msgspec.Struct, frozen=True):
    actor: Actor
    ends_at: datetime


class Sessions:
    """Sessions of signed-in users, by the hash of an opaque key; a restart ends them all."""

    def __init__(self, settings: ApiSettings, clock: Clock) -> None:
        self._clock = clock
        self._lasts = timedelta(hours=settings.session_hours)
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def open(self, user: UserSettings) -> str:
        """Return the key of a new session, to be kept in a cookie."""
        key = token_urlsafe(32)
        actor = msgspec.structs.replace(_of_user(user), forgery_token=token_urlsafe(32))
        self._sessions[token_hash(key)] = _Session(actor, self._clock.now() + self._lasts)
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return key

    def find(self, key: str) -> Actor | None:
        """Return whose session it is, None when it is unknown or has ended."""
        digest = token_hash(key)
        session = self._sessions.get(digest)
        if session is None:
            return None
        if session.ends_at <= self._clock.now():
            del self._sessions[digest]
            return None
        return session.actor

    def close(self, key: str) -> None:
        """End a session; unknown keys are no error."""
        self._sessions.pop(token_hash(key), None)


def local_actor() -> Actor:
    """Return the one user of an unprotected loopback, with a forgery token for this process."""
    return Actor(name="local", scopes=EVERYTHING, forgery_token=token_urlsafe(32))
