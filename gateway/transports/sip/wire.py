"""SIP on the wire: aiosipua's messages, checked, and the few headers that we write ourselves."""

import logging
import os
import re
from collections.abc import Mapping

from aiosipua.header_codec import parse_uri
from aiosipua.headers import SipUri, Via
from aiosipua.message import SipMessage, SipRequest, SipResponse
from aiosipua.utils import format_addr, generate_branch, generate_tag

from gateway.contract.errors import VakaError

logging.getLogger("aiosipua").setLevel(logging.ERROR)
# Its warnings repeat what any sender may write; what is malformed is counted and answered here.

METHODS = ("MESSAGE", "OPTIONS")
"""What is understood (RFC 3261 section 20.5, Allow)."""
KNOWN = frozenset({"ACK", "BYE", "CANCEL", "INFO", "INVITE", "NOTIFY", "PRACK", "PUBLISH", "REFER"}) | {
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
}
"""Methods of the standard that are not served: 405, and 501 for any other."""
REASONS: Mapping[int, str] = {
    200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    405: "Method Not Allowed", 413: "Request Entity Too Large", 420: "Bad Extension",
    481: "Call/Transaction Does Not Exist", 501: "Not Implemented", 503: "Service Unavailable",
}  # fmt: skip
SCAIP_TYPE = "application/scaip+xml"
MAX_HEADER_BYTES = 16 * 1024
"""Longer headers are refused and the connection closed: a unit's are about 600 bytes."""
MAX_VALUE = 256
"""Longest Call-ID, branch or tag that is remembered."""
_REQUIRED = ("via", "from", "to", "call-id", "cseq")
_NO_TOKEN = re.compile(r"[^A-Za-z0-9._+-]")


class MalformedError(VakaError):
    """Bytes that are no SIP message, or one that cannot be answered."""


def parse(data: bytes) -> SipRequest | SipResponse:
    """Read one message; raises MalformedError for what can be neither used nor answered."""
    if len(data.partition(b"\r\n\r\n")[0]) > MAX_HEADER_BYTES:
        raise MalformedError("headers too long")
    try:
        message = SipMessage.parse(data)
        usable = bool(message.via) and bool(message.headers.get("call-id")) and message.cseq is not None
    except Exception as error:  # a library's parser on a stranger's bytes
        raise MalformedError(type(error).__name__) from error
    if not usable:
        raise MalformedError("no Via, Call-ID or CSeq")
    return message


def fault_of(request: SipRequest, data: bytes) -> str:
    """Return what is wrong with a request that can be answered, "" for nothing (400 Bad Request)."""
    missing = [name for name in _REQUIRED if not request.headers.get(name)]
    if missing:
        return f"Missing {missing[0]}"
    cseq = request.cseq
    if cseq is None or cseq.method.upper() != request.method or not 0 <= cseq.seq < 2**31:
        return "CSeq does not match"
    if len(request.call_id or "") > MAX_VALUE or len(request.via[0].branch or "") > MAX_VALUE:
        return "Call-ID or branch too long"
    try:
        addressed = request.from_addr is not None and request.to_addr is not None
        declared = int(request.headers.get_first("content-length") or "0")
    except Exception:  # noqa: BLE001 - a library's parser on a stranger's bytes
        return "Bad header"
    whole = declared <= len(data.partition(b"\r\n\r\n")[2])
    return "Bad From or To" if not addressed else "" if whole else "Body shorter than Content-Length"


def user_of(request: SipRequest) -> str:
    """Return the user of the From, in letters that a channel may have; "" without one."""
    address = request.from_addr
    user = (address.uri.user or "") if address is not None else ""
    return _NO_TOKEN.sub("_", user.partition(";")[0])[:64]


def contact_of(request: SipRequest) -> SipUri | None:
    """Return the address of the Contact, None without a readable one."""
    try:
        contact = request.contact
    except Exception:  # noqa: BLE001 - a library's parser on a stranger's bytes
        return None
    return contact[0].uri if contact else None


def transaction_of(message: SipRequest | SipResponse) -> str:
    """Return what the retransmission of a request has in common with it (RFC 3261 section 17.2.3)."""
    via, cseq = message.via[0], message.cseq
    number = f"{cseq.seq} {cseq.method}" if cseq else ""
    return f"{via.branch or ''}|{via.host}:{via.port}|{number}|{message.call_id}"


def response_to(request: SipRequest, status: int, **headers: str) -> SipResponse:
    """Make the response to a request; a keyword is a header's name with `_` for `-`."""
    made = SipResponse(status_code=status, reason_phrase=REASONS[status])
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        for value in request.headers.get(name):
            if name == "To" and "tag=" not in value:
                value = f"{value};tag={generate_tag()}"  # noqa: PLW2901 - RFC 3261 section 8.2.6.2
            made.headers.append(name, value)
    for name, value in headers.items():
        made.headers.set_single(name.replace("_", "-"), value)
    return made


def stamp(request: SipRequest, source: tuple[str, int]) -> tuple[str, int]:
    """Note the source in the top Via and return where the response goes (RFC 3261 18.2, RFC 3581).

    A sender behind address translation that does not ask for `rport` is answered at its source as well.
    """
    via = request.via[0]
    translated = via.host.strip("[]") != source[0]
    rport = "rport" in via.params
    if translated or rport:
        via.params["received"] = source[0]
    if rport:
        via.params["rport"] = str(source[1])
    request.via = [via, *request.via[1:]]
    return source if translated or rport else (source[0], via.port or 5060)


def message_request(target: str, sender: str, body: bytes, content_type: str = SCAIP_TYPE) -> SipRequest:
    """Make a MESSAGE of ours outside any dialog (RFC 3428); its Via is written by `route`."""
    made = SipRequest(method="MESSAGE", uri=target, body=body)
    made.headers.set_single("Max-Forwards", "70")
    made.headers.set_single("From", f"<{sender}>;tag={generate_tag()}")
    made.headers.set_single("To", f"<{target}>")
    made.headers.set_single("Call-ID", f"{os.urandom(12).hex()}@vaka")
    made.headers.set_single("CSeq", "1 MESSAGE")
    made.headers.set_single("Content-Type", content_type)
    return made


def route(request: SipRequest, protocol: str, own: tuple[str, int]) -> str:
    """Write Via and Contact for one try and return its transaction."""
    host, port = own
    secure = ";transport=tls" if protocol == "TLS" else ";transport=tcp" if protocol == "TCP" else ""
    request.via = [
        Via(
            transport=protocol,
            host=_bracketed(host),
            port=port,
            params={"branch": generate_branch(), "rport": None},
        )
    ]
    request.headers.set_single("Contact", f"<sip:vaka@{format_addr(host, port)}{secure}>")
    return transaction_of(request)


def read_uri(text: str) -> SipUri:
    """Read a sip: or sips: address; raises ValueError."""
    if not text.lower().startswith(("sip:", "sips:")):
        raise ValueError("no sip: or sips: address")
    found = parse_uri(text)
    if not found.host:
        raise ValueError("no host")
    return found


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
