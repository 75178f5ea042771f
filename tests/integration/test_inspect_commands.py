"""`vaka trace` and `vaka journal export` look, and change nothing in what they look at."""

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.commands.inspect import export_journal, newest_remarks, trace_frame
from gateway.contract import Changes, ConfigurationError
from gateway.model.frame import Frame, Transport
from gateway.model.trace import Trace, Verdict
from gateway.stores.sqlite_store import SqliteStore

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A journal of two frames of which the first could not be read."""
    store = SqliteStore(tmp_path / "state.db")
    remark = Trace(1, "decode", Verdict.QUARANTINED, "not JSON", "ENC-02", "d")
    store.commit(Changes(frames=[frame(1, b"hi"), frame(2, b"\xff")], traces=[remark]), 2)
    store.close()
    return tmp_path


def frame(position: int, payload: bytes) -> Frame:
    return Frame(Transport.MQTT, "a/b", payload, AT, "listener", "d", position=position)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.db")}


def look(folder: Path) -> list[str]:
    return [
        *trace_frame(folder, 1),
        *trace_frame(folder, 2),
        *newest_remarks(folder, 10),
        *export_journal(folder, 0, None),
    ]


def test_a_trace_says_where_a_frame_stopped(data: Path) -> None:
    assert any("not JSON [ENC-02]" in line for line in trace_frame(data, 1))
    assert list(trace_frame(data, 3)) == ["3: the journal has no such frame (last: 2)"]


def test_an_export_is_a_line_a_frame(data: Path) -> None:
    lines = [json.loads(line) for line in export_journal(data, 0, None)]
    assert [line["position"] for line in lines] == [1, 2]
    assert (lines[0]["payload"], lines[1]["payload_b64"]) == ("hi", "/w==")


def test_looking_changes_nothing(data: Path) -> None:
    before = contents(data)
    assert look(data)
    assert contents(data) == before


def test_files_that_a_gateway_writes_can_be_looked_at(data: Path) -> None:
    store = SqliteStore(data / "state.db")
    try:
        store.commit(Changes(frames=[frame(3, b"third")]), 3)
        assert "position 3" in list(trace_frame(data, 3))[1]
    finally:
        store.close()


def test_a_file_that_is_missing_or_of_another_version_is_named(tmp_path: Path, data: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        look(tmp_path / "nowhere")
    with sqlite3.connect(data / "state.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(ConfigurationError, match="version 99"):
        look(data)
