from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.contract import SessionStore, StoreUnavailableError
from gateway.stores.sessions import MemorySessionStore, SqliteSessionStore


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SessionStore]:
    made: SessionStore = (
        SqliteSessionStore(tmp_path / "sessions.sqlite")
        if request.param == "sqlite"
        else MemorySessionStore()
    )
    yield made
    made.close()


def test_a_new_store_is_empty(store: SessionStore) -> None:
    assert store.load() == {}


def test_saved_records_are_loaded_and_removed_ones_are_not(store: SessionStore) -> None:
    store.save({"a\0b": b"\x00\xff", "ä": b"", "gone": b"x"})
    store.save({"ä": b"new", "gone": None, "never there": None})
    assert store.load() == {"a\0b": b"\x00\xff", "ä": b"new"}


def test_an_empty_save_changes_nothing(store: SessionStore) -> None:
    store.save({"a": b"1"})
    store.save({})
    assert store.load() == {"a": b"1"}


def test_another_store_on_the_same_file_finds_the_records(tmp_path: Path) -> None:
    path = tmp_path / "sessions.sqlite"
    first = SqliteSessionStore(path)
    first.save({"a": b"1"})
    second = SqliteSessionStore(path)  # the first is not closed: as after a crash
    assert second.load() == {"a": b"1"}
    first.close()
    second.close()


def test_a_file_that_cannot_be_opened_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="cannot be opened"):
        SqliteSessionStore(tmp_path)
