"""The answer to one line of DC-09: ACK, NAK with the receiver's time, or DUH."""

import re
from datetime import UTC, datetime

from adapters.sia.line import crc, read_line
from gateway.contract import Outcome, Told, Undecodable

_HEADER = re.compile(
    rb'"(\*?)[A-Za-z0-9+-]{2,16}"([0-9]{4})(R[0-9A-Fa-f]{0,6})?(L[0-9A-Fa-f]{0,6})?(#[0-9A-Za-z]{1,16})?'
)
_ANSWERS = re.compile(rb'"(?:ACK|NAK|DUH|RSP)"')
_NOT_READ = frozenset({"SIA-ENCRYPTED", "SIA-FORMAT", "SIA-DATA", "SIA-CODE"})
"""Clauses of lines that arrived well and say what is not understood: DUH, which no panel repeats."""


def write_reply(payload: bytes, fault: Undecodable | None, told: Told) -> bytes:
    """Write the answer; b"" where none is due."""
    if told.outcome is Outcome.BUSY or _ANSWERS.search(payload):
        return b""
    header = _HEADER.search(payload)
    nak = _line(b'"NAK"0000R0L0A0[]' + _stamp(told.at))
    if header is None:  # a supervision line of an older dialect is read and wants nothing
        return b"" if fault is None else nak
    if fault is not None and fault.clause in _NOT_READ:
        return _line(_same(b'"DUH"', header))
    if fault is not None or told.outcome is Outcome.TOO_LONG or not read_line(payload).intact:
        return nak
    return _line(_same(b'"ACK"', header))


def _same(word: bytes, header: re.Match[bytes]) -> bytes:
    """Return an answer with the line's own sequence, receiver, line number and account."""
    return word + header[2] + (header[3] or b"") + (header[4] or b"") + (header[5] or b"") + b"[]"


def _stamp(at: datetime) -> bytes:
    return at.astimezone(UTC).strftime("_%H:%M:%S,%m-%d-%Y").encode()


def _line(text: bytes) -> bytes:
    return b"\n%04X%04X%s\r" % (crc(text), len(text), text)
