"""Reconciling: which records should be at a care system, by the log, and which of them are proved to be."""

from collections.abc import Mapping

import msgspec

from gateway.contract import Cursors, Log
from gateway.service.tapping import tenants_of
from gateway.service.taps import ours
from gateway.tap_settings import CareSettings
from gateway.taps.care.carrier import Held, version_of
from gateway.taps.care.making import Asked, owed

PAGE_FRAMES = 5000
LETTERS = 10_000


class Named(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record by its key and the least version of it that should be there; `why` it is not."""

    key: str
    version: int
    why: str = ""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """How one care system stands.

    `waiting` is behind the tap's cursor, `missing` has neither proof nor dead letter, `lost` has a proof and
    is not in the receiver's own list, `given_up` is no more sent because a person said so. `listed` is None
    where the receiver offers no list; `unread` says why its list could not be read.
    """

    tap: str
    kind: str
    begun: int | None
    cursor: int | None
    log: int
    expected: int
    proved: int
    waiting: int
    refused: list[Named]
    missing: list[Named]
    lost: list[Named]
    given_up: list[Named]
    listed: int | None = None
    unread: str = ""

    @property
    def good(self) -> bool:
        """True when everything that should be there is, as far as the tap is through."""
        return not (self.refused or self.missing or self.lost or self.unread)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What our own files tell of a tap: what it owes, up to where, with which proofs and dead letters."""

    begun: int | None
    cursor: int | None
    log: int
    owed: Mapping[str, int]
    waiting: Mapping[str, int]
    proofs: Mapping[str, str]
    letters: Mapping[str, str]
    given_up: Mapping[str, str]


def known_of(settings: CareSettings, log: Log, cursors: Cursors, asked: Asked) -> Known:
    """Read what should be at a care system, by the log, and what is proved to be; blocking."""
    begun, cursor, end = cursors.begun(settings.name), cursors.cursor(settings.name), log.cursor()
    through = _owed_between(settings, log, asked, begun or 0, cursor or 0) if begun is not None else {}
    start = cursor if cursor is not None else 0 if settings.backfill else end
    waiting = _owed_between(settings, log, asked, start, end)
    return Known(
        begun=begun,
        cursor=cursor,
        log=end,
        owed=through,
        waiting=waiting,
        proofs=cursors.proofs(settings.name, list(through)),
        letters={one.item: one.reason for one in cursors.letters(settings.name, LETTERS)},
        given_up=cursors.given_up(settings.name),
    )


def account_of(
    settings: CareSettings, known: Known, held: Mapping[str, Held] | None, unread: str = ""
) -> Account:
    """Return how a care system stands; `held` is what it lists itself."""
    refused, missing, lost, given_up = [], [], [], []
    proved = 0
    for key, version in known.owed.items():
        listed = held.get(key) if held is not None else None
        if why := known.letters.get(key) or (listed.refused if listed else ""):
            refused.append(Named(key=key, version=version, why=why))
        elif key in known.given_up:
            given_up.append(Named(key=key, version=version, why=known.given_up[key]))
        elif version_of(known.proofs.get(key, "")) < version:
            missing.append(Named(key=key, version=version))
        elif held is not None and (listed is None or listed.version < version):
            there = f"version {listed.version} is there" if listed else ""
            lost.append(Named(key=key, version=version, why=there))
        else:
            proved += 1
    return Account(
        tap=settings.name,
        kind=settings.kind,
        begun=known.begun,
        cursor=known.cursor,
        log=known.log,
        expected=len(known.owed),
        proved=proved,
        waiting=len(known.waiting),
        refused=refused,
        missing=missing,
        lost=lost,
        given_up=given_up,
        listed=None if held is None else len(held),
        unread=unread,
    )


def _owed_between(settings: CareSettings, log: Log, asked: Asked, after: int, upto: int) -> dict[str, int]:
    found: dict[str, int] = {}
    while after < upto:
        page = ours(log.page(after, min(PAGE_FRAMES, upto - after)))
        for key, version in owed(tenants_of(page, asked.registry(), settings), asked).items():
            found[key] = max(version, found.get(key, 0))
        if page.upto <= after:
            break
        after = page.upto
    return found
