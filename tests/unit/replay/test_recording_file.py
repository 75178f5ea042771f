import gzip
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from gateway.contract import ConfigurationError
from gateway.recording.file import Recording, RecordingFile
from gateway.recording.form import DeviceLine, Header, TickLine
from tests.unit.replay.kit import START

HEADER = Header(
    form=1, gateway="0", since=START, until=START, references="kept", left_out=(), channels=("page",)
)


def lines(count: int) -> Iterator[TickLine]:
    return (TickLine(n=number, at=START) for number in range(1, count + 1))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    out = tmp_path / "r.gz"
    with RecordingFile(out) as file:
        file.add(HEADER)
        for line in lines(500):
            file.add(line)
    return out


def examine(path: Path) -> int:
    return sum(1 for _ in Recording(path).examine())


def test_a_whole_file_is_read_as_it_was_written(path: Path) -> None:
    assert list(Recording(path).examine()) == list(lines(500))
    assert list(Recording(path).inputs()) == list(lines(500))


def test_equal_recordings_are_equal_files(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gz"
    with RecordingFile(other) as file:
        file.add(HEADER)
        for line in lines(500):
            file.add(line)

    assert other.read_bytes() == path.read_bytes()


def test_a_file_that_was_cut_is_noticed_wherever_it_was_cut(path: Path) -> None:
    whole = path.read_bytes()
    for part in (0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(ConfigurationError, match=r"a file that was cut.*a whole one"):
            examine(path)


def test_a_file_without_its_last_line_is_noticed(path: Path) -> None:
    told = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(told[:-1])))

    with pytest.raises(ConfigurationError, match="without its end"):
        examine(path)


def test_a_line_that_was_taken_out_or_changed_is_noticed(path: Path) -> None:
    told = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(told[:5] + told[6:])))
    with pytest.raises(ConfigurationError, match=r"found 500 lines; allowed: the 501"):
        examine(path)

    told[5] = told[5].replace(b'"n":5', b'"n":6')
    path.write_bytes(gzip.compress(b"".join(told)))
    with pytest.raises(ConfigurationError, match="other lines"):
        examine(path)


def test_another_form_is_refused_by_its_number(path: Path) -> None:
    path.write_bytes(gzip.compress(msgspec.json.encode(HEADER).replace(b'"form":1', b'"form":9') + b"\n"))

    with pytest.raises(ConfigurationError, match="found form 9; allowed: 1"):
        Recording(path)


@pytest.mark.parametrize(
    "content", [b"", b"no gzip at all", *(gzip.compress(told, mtime=0) for told in (b"no json\n", b"[1]\n"))]
)
def test_what_is_no_recording_is_refused_in_one_line(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(ConfigurationError) as told:
        Recording(path)

    assert "\n" not in str(told.value)
    assert "found" in str(told.value)


def test_a_line_that_is_none_is_named_by_its_number(path: Path) -> None:
    told = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    told[3] = b'{"line":"tick","n":"three"}\n'
    path.write_bytes(gzip.compress(b"".join(told)))

    with pytest.raises(ConfigurationError, match="line 4: "):
        examine(path)


def test_what_could_not_be_finished_leaves_no_file(tmp_path: Path) -> None:
    out = tmp_path / "r.gz"
    out.write_bytes(b"the one before")

    with suppress(ZeroDivisionError), RecordingFile(out) as file:
        file.add(HEADER)
        raise ZeroDivisionError

    assert out.read_bytes() == b"the one before"
    assert list(tmp_path.iterdir()) == [out]


def test_a_line_says_first_what_it_is() -> None:
    """Lines that are no inputs are passed over by how they begin."""
    assert msgspec.json.encode(DeviceLine(n=1, at=START, transport="mqtt")).startswith(b'{"line":"device"')
