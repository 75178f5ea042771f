"""What one frame costs each adapter: `python -m benchmarks.adapters` decodes every golden frame for a while.

The figure to read is the ratio: to the decoding of the same payloads as JSON (or as text, where they are
none), in the same run. Refused frames count too: a broken message must not cost more than a good one.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

import msgspec

from gateway.contract import Adapter, Undecodable
from gateway.contract.golden import frame_of
from gateway.model.frame import Frame
from gateway.plugins import load_adapters

SECONDS = 0.5
"""Measured of each adapter, and of its plain reading."""


def main() -> None:
    """Print a line for each adapter, the fastest first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    seconds = parser.parse_args().seconds
    rows = []
    for adapter in load_adapters():
        frames = golden(adapter)
        plain = rate(read_plainly, frames, seconds)
        rows.append((rate(decoder(adapter), frames, seconds), plain, adapter.manifest.id, len(frames)))
    print(f"{'adapter':16}{'golden frames':>14}{'frames/s':>12}{'us a frame':>12}{'of plain reading':>18}")
    for found, plain, name, count in sorted(rows, reverse=True):
        print(f"{name:16}{count:>14}{found:>12,.0f}{1e6 / found:>12.1f}{found / plain:>18.2f}")


def golden(adapter: Adapter) -> list[Frame]:
    """Return the adapter's golden frames."""
    folder = Path(str(files(type(adapter).__module__.rpartition(".")[0]))) / "frames"
    return [frame_of(msgspec.json.decode(path.read_bytes())) for path in sorted(folder.glob("*.json"))]


def decoder(adapter: Adapter) -> Callable[[Frame], object]:
    """Return what reads one frame, refused or not."""

    def decode(frame: Frame) -> object:
        try:
            return adapter.decode(frame)
        except Undecodable as error:
            return error

    return decode


def read_plainly(frame: Frame) -> object:
    """Read the payload without any meaning."""
    try:
        return msgspec.json.decode(frame.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return frame.payload.decode(errors="replace")


def rate(work: Callable[[Frame], object], frames: Sequence[Frame], seconds: float) -> float:
    """Return how many frames a second it does."""
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        for frame in frames:
            work(frame)
        done += len(frames)
    return done / spent


if __name__ == "__main__":
    main()
