"""One message of a unit as the kit judges it: strictly, where the gateway itself is lenient."""

import msgspec
from aiosipua.message import SipRequest

from gateway.contract.markup import read_markup
from gateway.transports.sip.links import Link
from gateway.transports.sip.wire import SCAIP_TYPE, fault_of, user_of

ROOT = "mrq"
HEARTBEAT = "PI"
TYPES = frozenset({"ME", "RE", "IN", HEARTBEAT})
MANDATORY = ("ref", "cid", "dty")
CODES = ("dty", "stc")
DIGITS = 4
LONGEST_REF = 64


class Message(msgspec.Struct, frozen=True):
    """A MESSAGE that came: its number in the record, its transaction, and its body's elements by name.

    `again` is True for a retransmission (the same transaction); `unread` says why the body could not be
    read.
    """

    number: int
    at_s: float
    link: Link
    request: SipRequest
    raw: bytes
    key: str
    again: bool
    root: str = ""
    fields: dict[str, str] = {}
    unread: str = ""

    @property
    def ref(self) -> str:
        """The reference, "" without one."""
        return self.fields.get("ref", "")

    @property
    def heartbeat(self) -> bool:
        """Whether it is one of the unit's own signs of life."""
        return self.fields.get("mty", "").upper() == HEARTBEAT

    @property
    def user(self) -> str:
        """The user of the From."""
        return user_of(self.request)


def fields_of(raw: bytes) -> tuple[str, dict[str, str], str]:
    """Return root, elements and "" of the body of a message, or why it cannot be read."""
    body = raw.partition(b"\r\n\r\n")[2]
    try:
        body.decode("utf-8")
        root = read_markup(body)
    except ValueError as error:
        return "", {}, f"the body is no XML in UTF-8: {error}"
    return root.name, {child.name: child.text for child in reversed(root.children)}, ""


def head_fault(message: Message) -> str:
    """Return what is wrong with the headers (VDI-SCAIP-01), "" for nothing."""
    told = message.request.headers.get_first("content-type") or ""
    if told.partition(";")[0].strip().lower() != SCAIP_TYPE:
        return f"its Content-Type is {told[:40]!r}"
    if length_fault(message):
        return ""
    return fault_of(message.request, message.raw)


def length_fault(message: Message) -> str:
    """Return what is wrong with Content-Length (VDI-SCAIP-02), "" for nothing."""
    told = (message.request.headers.get_first("content-length") or "").strip()
    found = len(message.raw.partition(b"\r\n\r\n")[2])
    if not told:
        return "it has no Content-Length" if message.link.reliable else ""
    return "" if told == str(found) else f"its Content-Length is {told[:12]!r}, its body has {found} bytes"


def document_fault(message: Message) -> str:
    """Return why the body is no request (VDI-SCAIP-03), "" when it is one."""
    return message.unread or ("" if message.root == ROOT else f"its root is {message.root[:16]!r}")


def missing_fault(message: Message) -> str:
    """Return which elements are missing (VDI-SCAIP-04), "" for none."""
    missing = [name for name in MANDATORY if not message.fields.get(name)]
    return "" if message.unread or not missing else f"without {', '.join(missing)}"


def form_fault(message: Message) -> str:
    """Return which element is out of its form (VDI-SCAIP-05), "" for none."""
    fields = message.fields
    for name in CODES:
        found = fields.get(name)
        if found and not (found.isascii() and found.isdigit() and len(found) <= DIGITS):
            return f"its {name} is {found[:12]!r}"
    kind = fields.get("mty")
    if kind and kind not in TYPES:
        return f"its mty is {kind[:12]!r}"
    return "its ref is too long" if len(message.ref) > LONGEST_REF else ""
