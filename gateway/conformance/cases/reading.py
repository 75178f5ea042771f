"""Reading: every message of the device as the gateway itself reads it, with the clause that it breaks."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from gateway.conformance.bench import Bench
from gateway.conformance.record import Direction, Seen
from gateway.contract import Adapter, Undecodable
from gateway.model.frame import MAX_PAYLOAD_BYTES, Frame, Transport
from gateway.plugins import load_adapters

INTERFACE = "vaka"
"""What reads the standard device interface, here as in the gateway: the kit has no reading of its own."""
TELLING_CREDENTIAL = re.compile(r"\d{3,12}|.*[\s@].*", re.DOTALL)
"""A credential that is a code, or a name: what only digits or a space in it give away."""
TELLING_DOSE = re.compile(r".*(\s|\d\s*(mg|ml|ug|µg|mikrog)).*", re.DOTALL | re.IGNORECASE)
"""A dose that names a drug or its strength."""
LONGEST_WORD = 4096
"""Characters of one value past which a camera's message holds more than an event can say."""


class Fault(NamedTuple):
    """One clause that one packet breaks, and how."""

    clause: str
    packet: int
    reason: str


def messages(bench: Bench, branch: str = "") -> list[Seen]:
    """Return what the device published, on one branch or on all."""
    said = bench.seen(kind="PUBLISH", direction=Direction.UP)
    return [seen for seen in said if not branch or seen.branch == branch]


def faults(bench: Bench) -> list[Fault]:
    """Return all that is wrong with single messages, in the order they came."""
    (adapter,) = load_adapters([INTERFACE])
    return [fault for seen in messages(bench) for fault in _faults(bench, adapter, seen)]


def _faults(bench: Bench, adapter: Adapter, seen: Seen) -> Iterator[Fault]:
    if len(seen.payload) > MAX_PAYLOAD_BYTES:
        yield Fault("VDI-MQTT-04", seen.number, f"a message of {len(seen.payload)} bytes")
        return
    base = bench.declaration.connection.topic("")
    if not seen.topic.startswith(base) and seen.topic.count("/") == base.count("/"):
        yield Fault("VDI-MQTT-01", seen.number, f"{seen.topic!r} is not a topic of {base}")
        return
    try:
        adapter.decode(Frame(Transport.MQTT, seen.topic, seen.payload, bench.moment(seen)))
    except Undecodable as error:
        yield Fault(error.clause, seen.number, error.reason)
        return
    yield from _told_too_much(seen)


def _told_too_much(seen: Seen) -> Iterator[Fault]:
    data = seen.body.get("data")
    values: dict[str, Any] = data if isinstance(data, dict) else {}
    credential, dose = values.get("credential"), values.get("dose")
    if isinstance(credential, str) and TELLING_CREDENTIAL.fullmatch(credential):
        yield Fault("VDI-LOCK-02", seen.number, "the credential reads like a code or a name")
    if isinstance(dose, str) and TELLING_DOSE.fullmatch(dose):
        yield Fault("VDI-MED-01", seen.number, "the dose reads like a drug and its strength")
    if any(len(word) > LONGEST_WORD for word in _words(seen.body)):
        yield Fault("VDI-CAM-01", seen.number, f"a value of more than {LONGEST_WORD} characters")


def _words(found: Any) -> Iterator[str]:
    """Return every string in a message, however deep."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for value in found.values():
            yield from _words(value)
    elif isinstance(found, list):
        for value in found:
            yield from _words(value)
