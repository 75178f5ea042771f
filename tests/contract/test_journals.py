from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.contract import Journal
from gateway.model.frame import Frame, Transport
from gateway.stores.sqlite_journal import SqliteJournal

AT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    found = SqliteJournal(path)
    yield found
    found.close()


def frame(text: str) -> Frame:
    return Frame(Transport.MQTT, "a/b", text.encode(), AT, "listener", "t/d", retained=True, fault="f")


def test_positions_begin_at_one_and_rise_by_one(journal: Journal) -> None:
    assert journal.append([frame("a"), frame("b")]) == 1
    assert journal.append([frame("c")]) == 3
    assert journal.last() == 3


def test_what_is_read_is_what_was_appended(journal: Journal) -> None:
    journal.append([frame("a"), frame("b")])
    (found,) = journal.read(after=1, limit=10)
    assert found.position == 2
    assert (found.payload, found.received_at, found.retained, found.fault) == (b"b", AT, True, "f")


def test_reading_is_bounded(journal: Journal) -> None:
    journal.append([frame(str(i)) for i in range(10)])
    assert [f.position for f in journal.read(after=3, limit=2)] == [4, 5]


def test_a_journal_opened_again_goes_on_where_it_was(path: Path) -> None:
    first = SqliteJournal(path)
    first.append([frame("a")])
    first.close()
    second = SqliteJournal(path)
    assert second.append([frame("b")]) == 2
    second.close()
