"""`vaka contacts`: where people at work can be reached, noted by an engineer, also while the gateway runs."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from gateway.contract import ConfigurationError
from gateway.stores.contacts import SqliteContacts

NUMBER = re.compile(r"\+[1-9]\d{4,14}")
MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
T = TypeVar("T")
KINDS: dict[str, tuple[tuple[str, ...], re.Pattern[str], str]] = {
    "phone": (("sms", "voice"), NUMBER, "a number as +46701740605 (E.164)"),
    "sms": (("sms",), NUMBER, "a number as +46701740605 (E.164)"),
    "voice": (("voice",), NUMBER, "a number as +46701740605 (E.164)"),
    "email": (("email",), MAIL, "an address as name@example.org"),
}
"""What may be noted: the channels it stands for, and how it is written."""


def note(data_dir: Path, recipient: str, kind: str, address: str) -> str:
    """Note an address of a person or team; ConfigurationError names what is wrong, never the address."""
    channels, form, allowed = _kind(kind)
    plain = re.sub(r"[\s()-]", "", address) if form is NUMBER else address.strip()
    if not form.fullmatch(plain):
        raise ConfigurationError(f"{kind}: found something else; allowed: {allowed}")

    def keep(book: SqliteContacts) -> None:
        for channel in channels:
            book.note(recipient, channel, plain)

    _with(data_dir, keep)
    return f"{recipient}: {' and '.join(channels)} noted"


def remove(data_dir: Path, recipient: str, kind: str) -> str:
    """Forget all addresses of a kind."""
    channels = ("webpush",) if kind == "webpush" else _kind(kind)[0]
    counts = _with(data_dir, lambda book: [book.remove(recipient, channel) for channel in channels])
    return f"{recipient}: {sum(counts)} removed"


def noted(data_dir: Path) -> Iterator[str]:
    """Yield who can be reached by what; the addresses themselves stay in the file."""
    by_recipient: dict[str, list[str]] = {}
    for recipient, channel in sorted(_with(data_dir, lambda book: book.noted())):
        by_recipient.setdefault(recipient, []).append(channel)
    for recipient, channels in by_recipient.items():
        yield f"{recipient}: {', '.join(channels)}"


def _kind(kind: str) -> tuple[tuple[str, ...], re.Pattern[str], str]:
    if kind not in KINDS:
        raise ConfigurationError(f"kind: found {kind!r}; allowed: {', '.join(KINDS)}")
    return KINDS[kind]


def _with(data_dir: Path, work: Callable[[SqliteContacts], T]) -> T:
    book = SqliteContacts(data_dir / "contacts.db")
    try:
        return work(book)
    finally:
        book.close()
