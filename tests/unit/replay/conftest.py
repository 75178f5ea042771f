"""One evening of a gateway for all tests here, and its recordings."""

from pathlib import Path

import pytest

from gateway.commands.replay import export_recording
from gateway.config import Settings
from tests.unit.replay.kit import Kept, evening, kept

WHOLE = (None, None)


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a gateway that lived through an evening."""
    folder = tmp_path_factory.mktemp("lived")
    evening(folder)
    return folder


@pytest.fixture(scope="session")
def live(lived: Path) -> Kept:
    return kept(lived)


@pytest.fixture(scope="session")
def kept_file(lived: Path) -> Path:
    """A recording with references kept."""
    out = lived / "kept.gz"
    export_recording(Settings(), lived, out, WHOLE, keep=True)
    return out


@pytest.fixture(scope="session")
def file(lived: Path) -> Path:
    """A recording with personal data removed."""
    out = lived / "file.gz"
    export_recording(Settings(), lived, out, WHOLE, keep=False)
    return out
