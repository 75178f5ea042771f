"""Coverage-guided fuzzing of a family of codecs with atheris: `make fuzz`, or one family with FAMILY=camera.

usage: python -m tests.fuzzing.codecs FAMILY CORPUS [options of libFuzzer]
"""

import random
import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["adapters", "gateway.contract", "gateway.model"]):
    from gateway.contract import Adapter
    from gateway.model.frame import Frame, Transport
    from tests.fuzzing.holding import POINTS, RECEIVED, adapter_of, golden_frames, judge, package_of
    from tests.fuzzing.mutation import mutated

    LOADED = {name: adapter_of(name) for name in POINTS}

FAMILIES: dict[str, tuple[str, ...]] = {
    "standard": ("vaka",),
    "homebus": ("zigbee2mqtt", "nuki", "shelly", "tasmota", "esphome", "homeassistant"),
    "location": ("owntracks", "traccar"),
    "camera": ("frigate", "axis", "onvif"),
    "radio": ("chirpstack",),
    "alarm": ("scaip", "sia"),
    "ble": ("bthome",),
    "health": ("vkp",),
}
BOUND_S = 0.5
"""Seconds of processor time for one frame of at most 64 KiB, with the fuzzer's own tracing on."""
HEADER = 3
"""Octets before the payload: which channel, what is done to it, and where."""
LEVELS = ("", "+", "x" * 200, "\u00e5", "bridge", "state", "0")


class Family:
    """The adapters of one family with the channels of their golden frames, and the judge of one input."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.seeds: list[bytes] = []
        self.channels: list[tuple[Adapter, tuple[str, ...], Transport, str]] = []
        for name in names:
            clauses = tuple(package_of(name).CLAUSES)
            for _title, frame in golden_frames(name):
                channel = (LOADED[name], clauses, frame.transport, frame.channel)
                if channel not in self.channels:
                    self.channels.append(channel)
                place = self.channels.index(channel)
                header = bytes([place % 256, frame.retained | (place // 256) << 4, 0])
                self.seeds.append(header + frame.payload)

    def take(self, data: bytes) -> None:
        """Judge one input; anything raised is a finding, and atheris keeps the input that showed it."""
        if len(data) < HEADER:
            return
        place = (data[0] + (data[1] >> 4) * 256) % len(self.channels)
        adapter, clauses, transport, channel = self.channels[place]
        frame = Frame(
            transport,
            _changed(channel, data[1], data[2]),
            data[HEADER:],
            RECEIVED,
            retained=bool(data[1] & 1),
        )
        took = _judged_s(adapter, clauses, frame)
        if took > BOUND_S:  # once more: a busy host charges its own pauses to the thread
            took = min(took, _judged_s(adapter, clauses, frame))
        assert took <= BOUND_S, f"{adapter.manifest.id}: {took:.2f} s for {len(frame.payload)} octets"


def _judged_s(adapter: Adapter, clauses: tuple[str, ...], frame: Frame) -> float:
    began = time.thread_time()
    judge(adapter, clauses, frame)
    return time.thread_time() - began


def _changed(channel: str, flags: int, where: int) -> str:
    if not flags & 2:
        return channel
    levels = channel.split("/")
    at = where % len(levels)
    levels[at : at + 1] = [] if flags & 4 else [LEVELS[(where // 16) % len(LEVELS)]]
    return "/".join(levels)


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Damage by form every other time, and as libFuzzer likes otherwise."""
    chance = random.Random(seed)
    if len(data) < HEADER or chance.random() < 0.5:
        return bytes(atheris.Mutate(data, max_size))
    return data[:HEADER] + mutated(data[HEADER:], chance)[: max_size - HEADER]


def main() -> None:
    """Write the golden frames as seeds into the corpus and fuzz until libFuzzer's own options say stop."""
    family = Family(FAMILIES[sys.argv[1]])
    corpus = Path(sys.argv[2])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(family.seeds):
        (corpus / f"golden-{number:04d}").write_bytes(seed)
    options = [sys.argv[0], str(corpus), "-max_len=65536", "-timeout=20", *sys.argv[3:]]
    atheris.Setup(options, family.take, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
