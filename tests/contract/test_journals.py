from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.contract import Changes, Journal, StoreUnavailableError
from gateway.model.frame import Frame, Transport
from gateway.stores.sqlite_journal import SqliteJournal
from gateway.stores.sqlite_store import SqliteStore

AT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def frame(text: str, place: int) -> Frame:
    return Frame(
        Transport.MQTT,
        "a/b",
        text.encode(),
        AT,
        "listener",
        "t/d",
        retained=True,
        fault="f",
        position=place,
    )


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> SqliteStore:
    found = SqliteStore(tmp_path / "state.db")
    found.commit(Changes(frames=[frame(str(place), place) for place in range(1, 11)]), 10)
    return found


def test_what_is_read_is_what_was_committed(tmp_path: Path) -> None:
    journal: Journal = SqliteJournal(tmp_path / "state.db")
    (found,) = journal.read(after=1, limit=1)
    assert found == frame("2", 2)
    assert journal.last() == 10


def test_reading_is_bounded(tmp_path: Path) -> None:
    assert [f.position for f in SqliteJournal(tmp_path / "state.db").read(after=3, limit=2)] == [4, 5]


def test_a_frame_is_there_with_the_cursor_or_not_at_all(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"UNIQUE|constraint") as caught:
        store.commit(Changes(frames=[frame("11", 11), frame("twice", 10)]), 11)
    assert not isinstance(caught.value, StoreUnavailableError), "trying again would not help"
    assert SqliteJournal(tmp_path / "state.db").last() == 10
    assert store.cursor() == 10
