"""The reply to one SCAIP request: the same ref, the status number, and what the sender asked for."""

import re
from xml.sax.saxutils import escape

import msgspec

from adapters.scaip.message import STATUS_NUMBERS
from gateway.contract import Outcome, Told

WITHOUT_REF = "0"
"""The ref of a reply to what has none that can be read: the element is mandatory."""
MAX_TEXT = 128
"""Longest text of `ste`."""
NO_VOICE = "0"
"""`mre`: the sender need not call, the gateway takes no voice."""

_OUTCOMES = {
    Outcome.TOO_LONG: (1, "the message is too long"),
    Outcome.UNKNOWN: (5, "the unit is not enrolled here"),
    Outcome.FOREIGN: (5, "the unit is not the one that sent it"),
    Outcome.BUSY: (6, "try again in a moment"),
}
_CODE = re.compile(r" \(reply \d\)$")
_REPLY = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?[^>]*>\s*)?<(?:[\w.-]+:)?mrs[\s>/]", re.IGNORECASE)


class Verdict(msgspec.Struct, frozen=True):
    """What the bytes are worth: an empty clause is good."""

    clause: str = ""
    reason: str = ""


GOOD = Verdict()


def is_reply(payload: bytes) -> bool:
    """Tell whether a message is a reply to one of ours, which is never replied to."""
    return _REPLY.match(payload) is not None


def write_reply(payload: bytes, verdict: Verdict, told: Told) -> bytes:
    """Write the `mrs`; of a request that is no XML the ref is taken where it can be seen."""
    status, text = _status(verdict, told)
    parts = [("ref", _seen(payload, b"ref", 64) or WITHOUT_REF), ("snu", str(status))]
    if text:
        parts.append(("ste", text[:MAX_TEXT]))
    if status == 0 and _wants_voice(payload):
        parts.append(("mre", NO_VOICE))
    if status == 0 and told.interval is not None and _seen(payload, b"hbo", 3).strip("0"):
        parts.append(("hbi", str(told.interval)))
    body = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in parts)
    return f"<mrs>{body}</mrs>".encode()


def _status(verdict: Verdict, told: Told) -> tuple[int, str]:
    if told.outcome in (Outcome.TOO_LONG, Outcome.BUSY):  # what was not read whole has no other fault
        return _OUTCOMES[told.outcome]
    if verdict.clause:
        return STATUS_NUMBERS.get(verdict.clause, 99), _CODE.sub("", verdict.reason)
    return _OUTCOMES.get(told.outcome, (0, ""))


def _seen(payload: bytes, name: bytes, most: int) -> str:
    """Return the first text of an element, whatever surrounds it; nothing that a reply could not carry."""
    pattern = (
        rb"<(?:[\w.-]+:)?" + name + rb"(?:\s[^<>]*)?>\s*([!-%'-;=?-~]{1," + str(most).encode() + rb"})\s*<"
    )
    found = re.search(pattern, payload, re.IGNORECASE)
    return found[1].decode("ascii") if found else ""


def _wants_voice(payload: bytes) -> bool:
    kind = _seen(payload, b"mty", 2).upper() or "ME"
    caller = _seen(payload, b"crd", 256).lower()
    return kind == "ME" and bool(caller) and not caller.startswith("no-voice")
