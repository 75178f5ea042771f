"""SIP digest authentication (RFC 8760, RFC 7616): MD5 and SHA-256, qop auth, hashes as htdigest has them."""

import hashlib
import hmac
import os
import re
from collections import OrderedDict
from pathlib import Path

from aiosipua.headers import parse_auth
from aiosipua.message import SipRequest

from gateway.contract import ConfigurationError

NONCE_S = 300
"""A nonce may be used so long; after it the sender is given a new one (stale)."""
MAX_COUNTS = 10_000
"""Nonces in use whose counts are remembered; past it the oldest, and what is older, is asked for anew."""
MAX_USERS = 100_000
HASHES = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
"""The algorithms, the better first: so they are offered."""
_LENGTHS = {32: "MD5", 64: "SHA-256"}
_LINE = re.compile(r"([^:]{1,64}):([^:]{1,64}):([0-9a-fA-F]+)")

Users = dict[tuple[str, str], str]
"""Hash of user:realm:password by user and algorithm."""


class UserFile:
    """The users of a realm; a changed file is read again when somebody is not known or refused."""

    def __init__(self, path: Path, realm: str) -> None:
        self._path, self._realm = path, realm
        self._seen = self._mark()
        self.users = read_users(path, realm)

    def refresh(self) -> bool:
        """Read the file again if it changed; what cannot be read leaves the users as they are."""
        try:
            mark = self._mark()
            if mark == self._seen:
                return False
            self.users, self._seen = read_users(self._path, self._realm), mark
        except (OSError, ConfigurationError):
            return False
        return True

    def _mark(self) -> tuple[int, int]:
        try:
            told = self._path.stat()
        except OSError as error:
            raise ConfigurationError(f"sip.users: {self._path}: {error.strerror}") from error
        return told.st_mtime_ns, told.st_size


def read_users(path: Path, realm: str) -> Users:
    """Read the users of a realm; ConfigurationError names file, line and what is allowed."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"sip.users: {path}: {error}") from error
    users: Users = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None or len(found[3]) not in _LENGTHS or len(users) >= MAX_USERS:
            allowed = "user:realm:hash with 32 (MD5) or 64 (SHA-256) hexadecimal digits"
            raise ConfigurationError(
                f"sip.users: {path}, line {number}: found another form; allowed: {allowed}"
            )
        if found[2] == realm:
            users[found[1], _LENGTHS[len(found[3])]] = found[3].lower()
    return users


class Digest:
    """Asks for and judges credentials. Nonces carry their own proof; only counts of used ones are kept."""

    def __init__(self, realm: str, users: UserFile) -> None:
        self._realm, self._users = realm, users
        self._key = os.urandom(32)
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._forgotten_until = 0

    def challenges(self, now: float, *, stale: bool = False) -> list[str]:
        """Return the values of WWW-Authenticate, one for each algorithm of which there are hashes."""
        nonce = self._nonce(int(now))
        known = {algorithm for _, algorithm in self._users.users}
        return [
            f'Digest realm="{self._realm}", nonce="{nonce}", algorithm={name}, qop="auth"'
            + (", stale=true" if stale else "")
            for name in HASHES
            if name in known or not known
        ]

    def judge(self, request: SipRequest, now: float) -> tuple[str, bool]:
        """Return the user that the credentials prove ("" for none), and whether only the nonce was stale."""
        text = request.get_header("authorization")
        if not text:
            return "", False
        told = parse_auth(text)
        if told.scheme.lower() != "digest" or told.params.get("realm") != self._realm:
            return "", False
        if not self._proves(told.params, request.method) and not (
            self._users.refresh() and self._proves(told.params, request.method)
        ):
            return "", False
        if not self._fresh(told.params, now):
            return "", True
        return told.params["username"], False

    def _proves(self, told: dict[str, str], method: str) -> bool:
        """Judge the response; its `uri` may be another than the request's, for proxies (RFC 3261, 22.4)."""
        algorithm = told.get("algorithm", "MD5").upper()
        kept = self._users.users.get((told.get("username", ""), algorithm))
        if kept is None or told.get("qop", "").lower() != "auth":
            return False

        def h(text: str) -> str:
            return HASHES[algorithm](text.encode()).hexdigest()

        parts = [told.get(name, "") for name in ("nonce", "nc", "cnonce")]
        wanted = h(":".join([kept, *parts, "auth", h(f"{method}:{told.get('uri', '')}")]))
        return hmac.compare_digest(
            wanted, told.get("response", "").lower().encode("ascii", "replace").decode()
        )

    def _fresh(self, told: dict[str, str], now: float) -> bool:
        """Take a nonce of ours within its time, and each count of it once."""
        nonce = told.get("nonce", "")
        made, _, _ = nonce.partition("-")
        if (
            not made.isdecimal()
            or len(made) > 12
            or not hmac.compare_digest(nonce.encode(), self._nonce_of(nonce))
        ):
            return False
        try:
            count = int(told.get("nc", ""), 16)
        except ValueError:
            return False
        known = self._counts.get(nonce, 0)
        if not 0 <= now - int(made) <= NONCE_S or count <= known:
            return False
        if not known and int(made) <= self._forgotten_until:
            return False
        self._counts[nonce] = count
        self._counts.move_to_end(nonce)
        while len(self._counts) > MAX_COUNTS:
            oldest, _ = self._counts.popitem(last=False)
            self._forgotten_until = max(self._forgotten_until, int(oldest.partition("-")[0]))
        return True

    def _nonce(self, made: int) -> str:
        return self._sealed(f"{made}-{os.urandom(8).hex()}")

    def _nonce_of(self, nonce: str) -> bytes:
        return self._sealed(nonce.rpartition("-")[0]).encode()

    def _sealed(self, text: str) -> str:
        return f"{text}-{hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:32]}"
