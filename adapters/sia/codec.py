"""The SIA DC-09 codec: alarms, faults, arming and link tests of alarm panels."""

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files

from adapters.sia.line import Line, read_line
from adapters.sia.reply import write_reply
from gateway.contract import Manifest, Told, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.codes.sia import PANELS, SIA, contact_word
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import VOCABULARY, AlarmValues, ClockQuality, DeviceKind, HealthValues

Details = dict[str, str | int | float | bool]

REPLIES = frozenset({"ACK", "NAK", "DUH", "RSP"})
_MODIFIER = re.compile(r"(?:ti|da|id|ri|pi|ai|ph|lv|va|pt|ty|rd|sn)[^/]*")
_CODE = re.compile(r"([A-Z]{2})([0-9A-Za-z]{0,8})")
_PREFIXED = re.compile(r"[NO](?:[A-Z]{2}|[a-z]{2})")
"""N or O before a code or a modifier; without one it may be the first letter of the code itself (NA, OP)."""
_CONTACT = re.compile(r"([136ER])([0-9]{3})\s+([0-9A-F]{2})\s+([0-9A-F]{3})")
_QUALIFIERS = {"E": 1, "R": 3}
"""Event and restoral as some senders write them."""
_KINDS = {
    "alarm.manual": DeviceKind.SOCIAL_ALARM,
    "alarm.cancelled": DeviceKind.SOCIAL_ALARM,
}


class SiaAdapter:
    """Reads DC-09 lines and makes their answers; when one goes out is the transport's."""

    def __init__(self) -> None:
        self._manifest = read_manifest(files("adapters.sia").joinpath("manifest.toml").read_text("utf-8"))

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one line; raises Undecodable with the clause."""
        if frame.channel != "sia/dc09":
            raise Undecodable("the channel is not sia/dc09", clause="SIA-TOPIC")
        line = read_line(frame.payload)
        if line.id in REPLIES:
            return (Ignored(line.account or "receiver", f"{line.id} is a receiver's reply"),)
        if not line.account:
            raise Undecodable("no account", clause="SIA-LINE")
        if line.id == "NULL":
            return (_reading(line, "heartbeat", "NULL", {}),)
        if line.id == "SIA-DCS":
            return list(_sia(line))
        if line.id == "ADM-CID":
            return [_contact(line)]
        raise Undecodable(f"no reader for {line.id}", clause="SIA-FORMAT", native_id=line.account)

    def reply(self, frame: Frame, told: Told) -> bytes:
        """Return the answer to a line: ACK, NAK or DUH."""
        try:
            self.decode(frame)
        except Undecodable as fault:
            return write_reply(frame.payload, fault, told)
        return write_reply(frame.payload, None, told)


def _event_text(line: Line) -> str:
    """Return what stands behind the account in the data block."""
    known = line.data.startswith("#")  # else what stands before the last bar is filling of an emptied cipher
    _, bar, event = line.data.partition("|") if known else line.data.rpartition("|")
    if not bar or not event:
        raise Undecodable("the data block has no event", clause="SIA-DATA", native_id=line.account)
    return event


def _sia(line: Line) -> Iterator[Reading | Ignored]:
    """Read a block like Nid501/ri1/CL501: N new or O old, modifiers, then codes with a zone or a user."""
    event = _event_text(line)
    details: Details = {}
    found = False
    if _PREFIXED.match(event):
        event = event[1:]
    for part in event.split("*")[0].split("^")[0].split("/"):
        code = _CODE.match(part)
        if code:
            found = True
            yield _by_code(line, code[1], code[2], dict(details))
        elif _MODIFIER.fullmatch(part):
            if part[:2] in ("ri", "id", "pi") and part[2:].isalnum():
                details[_NAMES[part[:2]]] = part[2:18]
        elif part.strip():
            raise Undecodable(
                "a part that is neither modifier nor code", clause="SIA-DATA", native_id=line.account
            )
    if not found:
        raise Undecodable("no event code", clause="SIA-DATA", native_id=line.account)


_NAMES = {"ri": "area", "id": "user", "pi": "peripheral"}


def _by_code(line: Line, code: str, number: str, details: Details) -> Reading | Ignored:
    word = SIA.get(code)
    if word is None and code not in PANELS.silent:
        raise Undecodable(f"unknown event code {code}", clause="SIA-CODE", native_id=line.account)
    if word is None:
        return Ignored(line.account, f"event code {code} says nothing of the vocabulary")
    if number:
        details["user" if word.startswith("alarm_system.") else "zone"] = number
    return _reading(line, word, code, details)


def _contact(line: Line) -> Reading | Ignored:
    found = _CONTACT.match(_event_text(line).strip())
    if found is None:
        raise Undecodable("not qualifier, event, group and zone", clause="SIA-DATA", native_id=line.account)
    qualifier, event = _QUALIFIERS.get(found[1]) or int(found[1]), int(found[2])
    word, reason = contact_word(event, qualifier)
    if reason:
        return Ignored(line.account, reason)
    if not word:
        raise Undecodable(f"unknown Contact ID event {event}", clause="SIA-CODE", native_id=line.account)
    details: Details = {"qualifier": qualifier, "area": found[3], "zone": found[4]}
    if word.startswith("alarm_system."):
        details["user"] = details.pop("zone")
    return _reading(line, word, str(event), details)


def _reading(line: Line, word: str, code: str, details: Details) -> Reading:
    told: Details = {"event_code": code, "sequence": line.sequence, **details}
    if not line.intact:
        told["checksum"] = "wrong"
    kind = VOCABULARY[word].values
    values = HealthValues(code=code, details=told) if kind is HealthValues else kind(details=told)
    if line.place and kind is AlarmValues:
        values = AlarmValues(latitude=line.place[0], longitude=line.place[1], details=told)
    place = details.get("zone", details.get("user", ""))
    return Reading(
        native_id=line.account,
        kind=_KINDS.get(word, DeviceKind.GATEWAY),
        type=word,
        values=values,
        occurred_at=line.at,
        clock=ClockQuality.SYNCED if line.at else ClockQuality.NONE,
        key=f"{line.sequence}:{code}:{place}" if line.at else "",
    )
