"""Addresses: kept by this gateway's user only, never shown, and each of the form that its channel needs."""

import sqlite3
from pathlib import Path

import pytest

from gateway.commands import contacts
from gateway.contract import ConfigurationError
from gateway.service.signing import Signer
from gateway.stores.contacts import MAX_ADDRESSES, SqliteContacts
from gateway.stores.keys import push_key, signing_key


@pytest.fixture
def book(tmp_path: Path) -> SqliteContacts:
    return SqliteContacts(tmp_path / "contacts.db")


def test_the_newest_address_is_the_last_and_the_oldest_ones_go(book: SqliteContacts) -> None:
    for number in range(MAX_ADDRESSES + 2):
        book.note("anna", "sms", f"+4670{number:07}")
    book.note("anna", "sms", "+46700000005")
    kept = book.addresses("anna", "sms")
    assert len(kept) == MAX_ADDRESSES
    assert kept[-1] == "+46700000005"
    assert "+46700000000" not in kept
    book.close()


def test_a_browser_rings_for_whoever_used_it_last(book: SqliteContacts) -> None:
    book.note("anna", "webpush", "{}")
    book.note("bo", "webpush", "{}")
    assert (book.addresses("anna", "webpush"), book.addresses("bo", "webpush")) == ([], ["{}"])
    assert book.noted() == {("bo", "webpush")}
    assert book.remove("bo", "webpush") == 1
    assert book.noted() == frozenset()
    book.close()


def test_nobody_else_may_read_addresses_and_keys(tmp_path: Path) -> None:
    SqliteContacts(tmp_path / "contacts.db").close()
    push_key(tmp_path)
    signing_key(tmp_path)
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path.name


def test_the_keys_are_made_once(tmp_path: Path) -> None:
    assert push_key(tmp_path).public == push_key(tmp_path).public
    assert signing_key(tmp_path) == signing_key(tmp_path)
    assert len(push_key(tmp_path).public) == 87


def test_a_key_file_with_something_else_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "vapid.pem").write_text("nonsense")
    (tmp_path / "signing.key").write_text("short")
    with pytest.raises(ConfigurationError, match=r"vapid\.pem: found no P-256 private key"):
        push_key(tmp_path)
    with pytest.raises(ConfigurationError, match=r"signing\.key: found 5 bytes"):
        signing_key(tmp_path)
    assert (tmp_path / "vapid.pem").read_text() == "nonsense"


def test_a_number_is_noted_for_texts_and_calls_and_never_shown(tmp_path: Path) -> None:
    told = contacts.note(tmp_path, "anna", "phone", "+46 70-174 06 05")
    assert told == "anna: sms and voice noted"
    assert list(contacts.noted(tmp_path)) == ["anna: sms, voice"]
    with sqlite3.connect(tmp_path / "contacts.db") as kept:
        assert kept.execute("SELECT DISTINCT address FROM contact").fetchall() == [("+46701740605",)]
    kept.close()
    assert contacts.remove(tmp_path, "anna", "phone") == "anna: 2 removed"


@pytest.mark.parametrize(
    ("kind", "address"),
    [("phone", "0701740605"), ("phone", "+0"), ("email", "anna"), ("fax", "+46701740605")],
)
def test_a_wrong_address_is_told_without_showing_it(tmp_path: Path, kind: str, address: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        contacts.note(tmp_path, "anna", kind, address)
    assert address not in str(told.value) or kind == "fax"
    assert "allowed" in str(told.value)


def test_a_signed_token_is_good_for_its_purpose_and_this_gateway_only() -> None:
    signer, other = Signer(b"k" * 32), Signer(b"x" * 32)
    token = signer.token("sms", "d-1")
    assert signer.read("sms", token) == "d-1"
    assert signer.read("call", token) is None
    assert other.read("sms", token) is None
    for wrong in ("", ".", "d-1", "d-1.", token + "x", "å" + token, token.replace("d-1", "d-2")):
        assert signer.read("sms", wrong) is None
    assert len(signer.opaque("topic", "a")) == 22
