"""The accounts of a load run: what was sent, what was acknowledged, how long each took from its intent."""

import time
from array import array
from io import BufferedWriter
from pathlib import Path

import msgspec

from gateway.contract.errors import ConfigurationError
from simulators.driving.latency import LATE_S


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a run; latencies are milliseconds from the intended time to the first PUBACK.

    `lag` is the generator's own part of them, from the intended time to the write, `late` how many were
    written over 100 ms late, `ack` the rest: from the write to the first PUBACK.
    """

    messages: int
    acknowledged: int
    packets: int
    resent: int
    duplicated: int
    stray_acks: int
    reconnects: int
    seconds: float
    rate: float
    p50_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    max_ms: float | None
    lag_p50_ms: float | None
    lag_p99_ms: float | None
    ack_p50_ms: float | None
    ack_p99_ms: float | None
    late: int


class Ledger:
    """Counts each message once, at its first acknowledgement. `acked` gets a line: device, id, time."""

    def __init__(self, messages: int, acked: Path | None = None) -> None:
        self.messages = messages
        self.acknowledged = self.packets = self.resent = 0
        self.duplicated = self.stray_acks = self.reconnects = 0
        self._done = bytearray(messages)
        self._latency = array("d")
        self._ack = array("d")
        self.lag = array("d")
        self._file: BufferedWriter | None = _open(acked)
        self.begin()

    def begin(self) -> None:
        """The clock of the run starts now; message n of an even run is meant for start + n / rate."""
        self.started_at = time.time()
        self._started = self._last = time.perf_counter()
        self._ended = self._started

    @property
    def complete(self) -> bool:
        """Every message is acknowledged."""
        return self.acknowledged >= self.messages

    def age_s(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self._started

    def idle_s(self) -> float:
        """Return the seconds since the last first acknowledgement."""
        return time.perf_counter() - self._last

    def acknowledge(
        self, number: int, times_s: tuple[float, float], device: str, identity: tuple[bytes, bytes]
    ) -> None:
        """Count a message at its first PUBACK; `times_s`: intended and written, seconds after the start."""
        if self._done[number]:
            return
        self._done[number] = 1
        self._last = now = time.perf_counter()
        self._latency.append(now - self._started - times_s[0])
        self._ack.append(now - self._started - times_s[1])
        self.acknowledged += 1
        if self._file is not None:
            self._file.write(b"%b\t%b\t%b\n" % (device.encode(), *identity))
        if self.acknowledged == self.messages:
            self._ended = now

    @property
    def writes(self) -> bool:
        """Acknowledged identities are wanted."""
        return self._file is not None

    def close(self) -> None:
        """End the run and put the record on disk."""
        if not self.complete:
            self._ended = time.perf_counter()
        if self._file is not None:
            self._file.close()
            self._file = None

    def report(self) -> Report:
        """Return the figures."""
        seconds = max(1e-9, self._ended - self._started)
        found, lag, ack = sorted(self._latency), sorted(self.lag), sorted(self._ack)
        return Report(
            messages=self.messages,
            acknowledged=self.acknowledged,
            packets=self.packets,
            resent=self.resent,
            duplicated=self.duplicated,
            stray_acks=self.stray_acks,
            reconnects=self.reconnects,
            seconds=round(seconds, 4),
            rate=round(self.acknowledged / seconds, 1),
            p50_ms=_quantile(found, 0.5),
            p99_ms=_quantile(found, 0.99),
            p999_ms=_quantile(found, 0.999),
            max_ms=_quantile(found, 1),
            lag_p50_ms=_quantile(lag, 0.5),
            lag_p99_ms=_quantile(lag, 0.99),
            ack_p50_ms=_quantile(ack, 0.5),
            ack_p99_ms=_quantile(ack, 0.99),
            late=sum(late_s > LATE_S for late_s in lag),
        )


def _quantile(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 3)


def _open(path: Path | None) -> BufferedWriter | None:
    if path is None:
        return None
    try:
        return path.open("wb")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from error
