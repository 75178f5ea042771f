"""One process a data directory: two writers on one journal would each believe to be the only one."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gateway.contract import ConfigurationError, StoreUnavailableError

TRY_EVERY_S = 0.05


def hold(data_dir: Path) -> IO[str]:
    """Lock the directory until the returned file is closed; ConfigurationError if another has it."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (data_dir / "lock").open("w")
    except OSError as error:
        raise ConfigurationError(
            f"data_dir: found {data_dir}: {error.strerror}; allowed: a directory to write in"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise ConfigurationError(
            f"data_dir: {data_dir} is in use by another running gateway; stop it, or name another directory"
        ) from error
    return file


@contextmanager
def wait_for_turn(path: Path, within_s: float) -> Iterator[None]:
    """Hold a file that one process has at a time; StoreUnavailableError if another keeps it for so long."""
    with path.open("w") as file:
        ends_at = time.monotonic() + within_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > ends_at:
                    raise StoreUnavailableError(f"{path}: another process keeps it") from error
                time.sleep(TRY_EVERY_S)
        yield
