"""Watching: what the packets of the whole run show, clause by clause, without touching the device."""

from collections.abc import Callable, Iterable, Sequence

import mqtt5
import msgspec

from gateway.conformance.bench import Bench
from gateway.conformance.case import Case, Drive
from gateway.conformance.cases.reading import Fault, faults, messages
from gateway.conformance.record import Seen
from gateway.conformance.verdict import Finding, Verdict, failed, inconclusive, not_applicable
from gateway.model.vocabulary import DeviceKind

SHOWN = 5
"""Packets that are shown of those that break a clause."""
ALL = ("VDI-MQTT-01", "VDI-MQTT-02", "VDI-MQTT-03", "VDI-MQTT-04", "VDI-ENC-01", "VDI-ENC-02")
BRANCHES: dict[str, tuple[str, ...]] = {
    "": ALL,
    "event": (*(f"VDI-EVT-0{n}" for n in (1, 2, 3, 5, 6, 7, 8, 9)),),
    "status": ("VDI-STA-01", "VDI-STA-02"),
    "telemetry": ("VDI-TEL-01", "VDI-TEL-02"),
    "result": ("VDI-RES-01",),
}
"""The clauses that the messages of a branch are held to; "" is every branch."""


async def read_as_the_gateway_does(bench: Bench) -> Sequence[Finding]:
    """Hold every message to every clause about messages."""
    found = [*faults(bench), *_counted_twice(bench)]
    return [
        _judged(bench, clause, branch, found) for branch, clauses in BRANCHES.items() for clause in clauses
    ]


def _judged(bench: Bench, clause: str, branch: str, found: Iterable[Fault]) -> Finding:
    blamed = [fault for fault in found if fault.clause == clause]
    if blamed:
        return _of(clause, failed(blamed[0].reason, *(fault.packet for fault in blamed[:SHOWN])))
    said = messages(bench, branch)
    if said:
        word = f"{len(said)} messages{' of ' + branch if branch else ''} keep it"
        return _of(clause, Finding(Verdict.PASS, word, (said[0].number,)))
    pics = bench.declaration.pics
    if (branch == "telemetry" and not pics.telemetry) or (branch == "result" and not pics.commands):
        return _of(clause, not_applicable(f"the declaration claims no {branch}"))
    return _of(clause, inconclusive(f"no message of {branch or 'any branch'} was seen"))


def _counted_twice(bench: Bench) -> Iterable[Fault]:
    """Find two events under one number, or one id (VDI-EVT-08, VDI-EVT-02)."""
    numbers: dict[int, str] = {}
    bodies: dict[str, bytes] = {}
    for seen in messages(bench, "event"):
        name, sequence = seen.body.get("id"), seen.body.get("sequence")
        if not isinstance(name, str):
            continue
        if bodies.setdefault(name, seen.payload) != seen.payload:
            yield Fault("VDI-EVT-02", seen.number, f"the id {name!r} stands on two different events")
        if isinstance(sequence, int) and numbers.setdefault(sequence, name) != name:
            yield Fault("VDI-EVT-08", seen.number, f"the sequence {sequence} was used before")


async def last_will(bench: Bench) -> Finding:
    """Hold the last will of every CONNECT to its form."""
    topic = bench.declaration.connection.topic("status")
    connects = bench.seen(kind="CONNECT")
    for seen in connects:
        reason = _wrong_will(seen, topic)
        if reason:
            return failed(reason, seen.number)
    if not connects:
        return inconclusive("the device did not connect")
    return Finding(Verdict.PASS, f"the last will of {len(connects)} connections is as it must be")


def _wrong_will(seen: Seen, topic: str) -> str:
    packet = seen.packet
    will = packet.will if isinstance(packet, mqtt5.ConnectPacket) else None
    if will is None:
        return "it connects without a last will"
    if will.topic != topic:
        return f"its last will is for {will.topic!r}, not for {topic}"
    try:
        body = msgspec.json.decode(will.payload or b"", type=dict[str, object])
    except msgspec.DecodeError:
        return "its last will is no JSON object"
    if body.get("state") != "offline":
        return f"its last will says the state {body.get('state')!r}, not offline"
    return "its last will carries a time, which will be old when it is spoken" if "time" in body else ""


async def delivery_flags(bench: Bench) -> Finding:
    """Hold QoS and retain of events and status to what is asked."""
    events, states = messages(bench, "event"), messages(bench, "status")
    wrong = [seen.number for seen in events if seen.qos != 1 or seen.retain]
    wrong += [seen.number for seen in states if not seen.retain]
    if wrong:
        return failed("an event without QoS 1 or retained, or a status not retained", *wrong[:SHOWN])
    if not events and not states:
        return inconclusive("it said nothing")
    return Finding(Verdict.PASS, f"{len(events)} events and {len(states)} states are sent as asked")


def _each_event(test: Callable[[Seen], bool], wrong: str, word: str = "") -> Callable[[Bench], Finding]:
    def judge(bench: Bench) -> Finding:
        said = [seen for seen in messages(bench, "event") if seen.word.startswith(word)]
        bad = [seen.number for seen in said if not test(seen)]
        if bad:
            return failed(wrong, *bad[:SHOWN])
        return Finding(Verdict.PASS, f"{len(said)} events keep it") if said else inconclusive("no such event")

    return judge


async def source_given(bench: Bench) -> Finding:
    """Look for the device's name at the end of each source."""
    name = bench.declaration.connection.native_id
    return _each_event(lambda seen: str(seen.body.get("source", "")).endswith(name), "no source")(bench)


async def means_given(bench: Bench) -> Finding:
    """Look for means and credential in what a lock says."""

    def says_how(seen: Seen) -> bool:
        data = seen.body.get("data")
        return isinstance(data, dict) and {"means", "credential"} <= data.keys()

    return _each_event(says_how, "an operation without means or credential", "lock.")(bench)


def _private(clause: str) -> Callable[[Bench], Finding]:
    def judge(bench: Bench) -> Finding:
        return _judged(bench, clause, "event", faults(bench))

    return judge


async def no_credential_told(bench: Bench) -> Finding:
    """Look for codes and names where an opaque credential belongs."""
    return _private("VDI-LOCK-02")(bench)


async def no_drug_told(bench: Bench) -> Finding:
    """Look for drugs and strengths where an opaque dose belongs."""
    return _private("VDI-MED-01")(bench)


async def no_picture_sent(bench: Bench) -> Finding:
    """Look for more than an event can say."""
    return _private("VDI-CAM-01")(bench)


def _of(clause: str, finding: Finding) -> Finding:
    return msgspec.structs.replace(finding, clauses=(clause,))


_LOCKS, _CAMERAS = frozenset({DeviceKind.LOCK}), frozenset({DeviceKind.CAMERA})
_DISPENSERS = frozenset({DeviceKind.DISPENSER})
CASES: tuple[Case, ...] = (
    Case(
        id="TC-MSG-01",
        clauses=tuple(clause for clauses in BRANCHES.values() for clause in clauses),
        en="Every message is one that the gateway reads",
        sv="Varje meddelande är ett som gatewayen kan läsa",
        drive=Drive.WATCH,
        run=read_as_the_gateway_does,
    ),
    Case(
        id="TC-WILL-01",
        clauses=("VDI-MQTT-06",),
        en="The last will says offline, without a time",
        sv="Sista meddelandet säger frånkopplad, utan tid",
        drive=Drive.WATCH,
        run=last_will,
    ),
    Case(
        id="TC-MSG-02",
        clauses=("VDI-MQTT-05",),
        en="Events have QoS 1 and are not retained, the status is",
        sv="Händelser har QoS 1 och sparas inte hos mottagaren, statusen gör det",
        drive=Drive.WATCH,
        run=delivery_flags,
    ),
    Case(
        id="TC-MSG-03",
        clauses=("VDI-EVT-04",),
        en="Every event names its source",
        sv="Varje händelse namnger sin källa",
        drive=Drive.WATCH,
        run=source_given,
    ),
    Case(
        id="TC-LOCK-01",
        clauses=("VDI-LOCK-01",),
        en="A lock says how and by whom it was operated",
        sv="Ett lås säger hur och av vem det manövrerades",
        drive=Drive.WATCH,
        run=means_given,
        kinds=_LOCKS,
    ),
    Case(
        id="TC-LOCK-02",
        clauses=("VDI-LOCK-02",),
        en="No code and no name in a lock's events",
        sv="Ingen kod och inget namn i ett lås händelser",
        drive=Drive.WATCH,
        run=no_credential_told,
        kinds=_LOCKS,
    ),
    Case(
        id="TC-MED-01",
        clauses=("VDI-MED-01",),
        en="No drug in a dispenser's events",
        sv="Inget läkemedel i en läkemedelsrobots händelser",
        drive=Drive.WATCH,
        run=no_drug_told,
        kinds=_DISPENSERS,
    ),
    Case(
        id="TC-CAM-01",
        clauses=("VDI-CAM-01",),
        en="No picture and no sound in a camera's events",
        sv="Ingen bild och inget ljud i en kameras händelser",
        drive=Drive.WATCH,
        run=no_picture_sent,
        kinds=_CAMERAS,
    ),
)
"""Run after all others, over everything that was seen."""
