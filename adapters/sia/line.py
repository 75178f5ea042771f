"""One line of SIA DC-09: header, checked length and checksum, account, data blocks and time stamp."""

import re
from datetime import UTC, datetime

import msgspec

from gateway.contract import Undecodable

CLAUSES: dict[str, str] = {
    "SIA-LINE": 'The line is CRC, length, "id", sequence, receiver, line, account, [data] and a time stamp.',
    "SIA-CHECK": "Length and CRC are those of the text between the length and the carriage return.",
    "SIA-ENCRYPTED": "The body is not encrypted: no asterisk before the id, no key set in the panel.",
    "SIA-FORMAT": "The id is NULL, SIA-DCS or ADM-CID.",
    "SIA-DATA": "The data block is #account|event in the form of its id.",
    "SIA-CODE": "The event code is one of SIA DC-03 or Contact ID.",
    "SIA-TOPIC": "The channel is sia/dc09.",
}
"""Every clause by its id (ANSI/SIA DC-09, DC-03, DC-05)."""

_LINE = re.compile(
    r'(?P<crc>[0-9A-Fa-f]{4})(?P<length>[0-9A-Fa-f]{4})(?P<text>"(?P<id>\*?[A-Za-z0-9+-]{2,16})"'
    r"(?P<sequence>[0-9]{4})(?:R(?P<receiver>[0-9A-Fa-f]{0,6}))?(?:L(?P<line>[0-9A-Fa-f]{0,6}))?"
    r"(?:#(?P<account>[0-9A-Za-z]{1,16}))?(?P<rest>\[.*)?)",
    re.DOTALL,
)
_BLOCK = re.compile(r"\[([^\[\]]*)\]")
_STAMP = re.compile(r"_([0-9]{2}):([0-9]{2}):([0-9]{2}),([0-9]{2})-([0-9]{2})-([0-9]{4})$")
_HAPPENED = re.compile(r"\[H_?([0-9]{2}):([0-9]{2}):([0-9]{2}),([0-9]{2})-([0-9]{2})-([0-9]{4})\]")
_DEGREES = re.compile(r"\[([XY])([0-9]{1,3})([NSEW])([0-9]{1,2}(?:\.[0-9]{1,10})?)\]")
_SUPERVISION = re.compile(
    r"SR(?P<receiver>[0-9]{4})L(?P<line>[0-9]{4})\s+(?P<account>[0-9A-Za-z]{3,16})\s+\[.*\]"
)
MAX_LINE = 2_048


class Line(msgspec.Struct, frozen=True):
    """A line; `intact` is False where length or CRC are not those of its text, `at` the time in UTC.

    The time is that of the occurrence (block H) where the panel tells it, else of the sending. `place` is
    latitude and longitude in degrees (blocks Y and X); names, texts and addresses in other blocks are not
    read.
    """

    id: str
    sequence: str
    account: str
    data: str = ""
    at: datetime | None = None
    intact: bool = True
    place: tuple[float, float] | None = None


def read_line(payload: bytes) -> Line:
    """Read one line; raises Undecodable with the clause and, where it stands, the account."""
    text = payload.decode("iso-8859-1").strip("\r\n \0")
    if len(text) > MAX_LINE:
        raise Undecodable("the line is too long", clause="SIA-LINE")
    supervision = _SUPERVISION.fullmatch(text)
    if supervision:
        return Line("NULL", "0000", supervision["account"])
    found = _LINE.fullmatch(text)
    if found is None:
        raise Undecodable("not a line of DC-09", clause="SIA-LINE")
    account = (found["account"] or "").upper()
    rest = found["rest"] or ""
    if found["id"].startswith("*") or "HMAC" in found["id"].upper():
        reason = (
            "the body is encrypted; set no key in the panel for this receiver, TLS or a VPN protects the way"
        )
        raise Undecodable(reason, clause="SIA-ENCRYPTED", native_id=account)
    block = _BLOCK.match(rest)
    data = block[1] if block else ""
    if not account and data.startswith("#"):
        account = data[1:].partition("|")[0].upper()[:16]
    return Line(
        id=found["id"].upper(),
        sequence=found["sequence"],
        account=account,
        data=data,
        at=_stamp(rest, account),
        intact=_intact(found["crc"], found["length"], found["text"].encode("iso-8859-1")),
        place=_place(rest),
    )


def _stamp(rest: str, account: str) -> datetime | None:
    found = _HAPPENED.search(rest) or _STAMP.search(rest)
    if found is None:
        return None
    hour, minute, second, month, day, year = map(int, found.groups())
    try:
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        raise Undecodable("the time stamp is no time", clause="SIA-LINE", native_id=account) from None


def _place(rest: str) -> tuple[float, float] | None:
    """Read degrees, hemisphere and minutes (`Y49N06.66`, `X006E07.77`); None unless both stand there."""
    told = {
        found[1]: (int(found[2]) + float(found[4]) / 60) * (-1 if found[3] in "SW" else 1)
        for found in _DEGREES.finditer(rest)
        if (found[1] == "Y") == (found[3] in "NS")
    }
    if len(told) < 2 or abs(told["Y"]) > 90 or abs(told["X"]) > 180:
        return None
    return round(told["Y"], 7), round(told["X"], 7)


def _intact(checksum: str, length: str, text: bytes) -> bool:
    return int(length, 16) == len(text) and int(checksum, 16) == crc(text)


def _row(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_ROWS = tuple(map(_row, range(256)))


def crc(text: bytes) -> int:
    """Return the CRC-16 of DC-09 (reflected polynomial A001, start 0)."""
    rest = 0
    for byte in text:
        rest = (rest >> 8) ^ _ROWS[(rest ^ byte) & 0xFF]
    return rest
