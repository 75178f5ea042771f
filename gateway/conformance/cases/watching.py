"""Watching: what the packets of the whole run show, clause by clause, without touching the device."""

from collections.abc import Callable, Iterable, Sequence

import mqtt5
import msgspec

from gateway.conformance.bench import Bench
from gateway.conformance.case import Case, Drive
from gateway.conformance.cases.reading import Fault, faults, messages
from gateway.conformance.record import Seen
from gateway.conformance.verdict import Finding, Verdict, about, failed, inconclusive, not_applicable
from gateway.model.vocabulary import DeviceKind
from gateway.transports.mqtt_checks import MQTT_5

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
CARRIED = {"VDI-EVT-05": "source", "VDI-EVT-08": "sequence", "VDI-EVT-09": "clockquality"}
"""Clauses about one field, which only an event that carries it can keep."""
OPTIONAL = frozenset({"VDI-EVT-05", "VDI-EVT-09"})
KEEP_ALIVE_S = (5, 600)


async def read_as_the_gateway_does(bench: Bench) -> Sequence[Finding]:
    """Hold every message to every clause about messages."""
    found = [*faults(bench), *_counted_twice(bench)]
    return [
        _judged(bench, clause, branch, found) for branch, clauses in BRANCHES.items() for clause in clauses
    ]


def _judged(bench: Bench, clause: str, branch: str, found: Iterable[Fault]) -> Finding:
    blamed = [fault for fault in found if fault.clause == clause]
    if blamed:
        return about(clause, failed(blamed[0].reason, *(fault.packet for fault in blamed[:SHOWN])))
    said = messages(bench, branch)
    if said and clause in CARRIED:
        said = [seen for seen in said if CARRIED[clause] in seen.body]
        if not said:
            return about(clause, _never_given(clause))
    if said:
        word = f"{len(said)} messages{' of ' + branch if branch else ''} keep it"
        return about(clause, Finding(Verdict.PASS, word, (said[0].number,)))
    pics = bench.declaration.pics
    if (branch == "telemetry" and not pics.telemetry) or (branch == "result" and not pics.commands):
        return about(clause, not_applicable(f"the declaration claims no {branch}"))
    return about(clause, inconclusive(f"no message of {branch or 'any branch'} was seen"))


def _never_given(clause: str) -> Finding:
    """Judge a clause about a field that no message carries: what may be left out holds nobody."""
    field = CARRIED[clause]
    if clause in OPTIONAL:
        return not_applicable(f"no event gives {field}, which may be left out")
    return inconclusive(f"no event gives {field}")


def _counted_twice(bench: Bench) -> Iterable[Fault]:
    """Find two events under one number, or one id (VDI-EVT-08, VDI-EVT-02)."""
    numbers: dict[int, Seen] = {}
    bodies: dict[str, bytes] = {}
    for seen in messages(bench, "event"):
        name, sequence = seen.body.get("id"), seen.body.get("sequence")
        if not isinstance(name, str):
            continue
        if bodies.setdefault(name, seen.payload) != seen.payload:
            yield Fault("VDI-EVT-02", seen.number, f"the id {name!r} stands on two different events")
        if isinstance(sequence, int) and _another(numbers.setdefault(sequence, seen), seen):
            yield Fault("VDI-EVT-08", seen.number, f"the sequence {sequence} was used before")


def _another(first: Seen, seen: Seen) -> bool:
    """Tell whether it is another event; the same one under another id is no fault of its number."""
    one, two = first.body, seen.body
    same = (one.get("type"), one.get("time")) == (two.get("type"), two.get("time"))
    return one.get("id") != two.get("id") and not same


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


async def will_flags(bench: Bench) -> Finding:
    """Hold QoS and retain of the last will of every CONNECT to what is asked."""
    wills = [(seen, connect.will) for seen, connect in _connects(bench) if connect.will is not None]
    wrong = [seen.number for seen, will in wills if int(will.qos) != 1 or not will.retain]
    if wrong:
        return failed("its last will is without QoS 1, or not retained", *wrong[:SHOWN])
    if not wills:
        return inconclusive("it connected without a last will")
    return Finding(Verdict.PASS, f"{len(wills)} last wills have QoS 1 and are retained")


async def keep_alive(bench: Bench) -> Finding:
    """Hold the keep-alive of every CONNECT to its limits, seconds."""
    least, most = KEEP_ALIVE_S
    given = [(seen, least <= connect.keep_alive <= most) for seen, connect in _connects(bench)]
    return _each(given, f"its keep-alive is not from {least} to {most} s")


async def session_kept(bench: Bench) -> Finding:
    """Look whether the device asks for a session that outlives its connection."""
    given = [
        (seen, not one.clean_start and (seen.level != MQTT_5 or bool(one.session_expiry_interval)))
        for seen, one in _connects(bench)
    ]
    return _each(given, "it connects without a session that is kept")


def _connects(bench: Bench) -> list[tuple[Seen, mqtt5.ConnectPacket]]:
    seen = bench.seen(kind="CONNECT")
    return [(one, one.packet) for one in seen if isinstance(one.packet, mqtt5.ConnectPacket)]


def _each(given: Sequence[tuple[Seen, bool]], wrong: str) -> Finding:
    bad = [seen.number for seen, good in given if not good]
    if bad:
        return failed(wrong, *bad[:SHOWN])
    if not given:
        return inconclusive("nothing of the kind was seen")
    return Finding(Verdict.PASS, f"{len(given)} keep it", (given[0][0].number,))


async def delivery_flags(bench: Bench) -> Sequence[Finding]:
    """Hold QoS and retain of all branches to what is asked of each."""
    sure = messages(bench, "event") + messages(bench, "result")
    passing, kept = sure + messages(bench, "telemetry"), messages(bench, "status")
    return [
        about("VDI-MQTT-05", _each([(one, one.qos == 1) for one in sure], "without QoS 1")),
        about("VDI-MQTT-07", _each([(one, not one.retain) for one in passing], "no status, and retained")),
        about(
            "VDI-MQTT-08",
            _each([(one, one.qos == 1 and one.retain) for one in kept], "a status without QoS 1 or retain"),
        ),
    ]


async def status_told(bench: Bench) -> Sequence[Finding]:
    """Look for the firmware, and for the charge where there is a battery, in each status that says online."""
    said = [seen for seen in messages(bench, "status") if seen.body.get("state") == "online"]
    named = _each([(one, bool(one.body.get("firmware"))) for one in said], "a status without firmware")
    charge = not_applicable("the declaration claims no battery")
    if bench.declaration.pics.battery:
        charge = _each([(one, "battery" in one.body) for one in said], "a status without the charge")
    return [about("VDI-STA-03", named), about("VDI-STA-04", charge)]


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
    found = _private("VDI-LOCK-02")(bench)
    if found.verdict is not Verdict.PASS or _given(bench, "credential"):
        return found
    if bench.declaration.pics.credentials:
        return inconclusive("no event gave a credential, which the declaration claims")
    return not_applicable("no event gave a credential, and the declaration claims none")


async def no_drug_told(bench: Bench) -> Finding:
    """Look for drugs and strengths where an opaque dose belongs."""
    found = _private("VDI-MED-01")(bench)
    if found.verdict is not Verdict.PASS or _given(bench, "dose"):
        return found
    return inconclusive("no event named a dose")


def _given(bench: Bench, field: str) -> bool:
    return any(field in (seen.body.get("data") or {}) for seen in messages(bench, "event"))


async def no_picture_sent(bench: Bench) -> Finding:
    """Look for more than an event can say."""
    return _private("VDI-CAM-01")(bench)


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
        id="TC-WILL-02",
        clauses=("VDI-MQTT-09",),
        en="The last will has QoS 1 and is retained",
        sv="Sista meddelandet har QoS 1 och sparas hos mottagaren",
        drive=Drive.WATCH,
        run=will_flags,
    ),
    Case(
        id="TC-CONN-01",
        clauses=("VDI-MQTT-14",),
        en="The keep-alive is neither too short nor too long",
        sv="Livstecknets tid på förbindelsen är varken för kort eller för lång",
        drive=Drive.WATCH,
        run=keep_alive,
    ),
    Case(
        id="TC-CONN-02",
        clauses=("VDI-MQTT-16",),
        en="The device keeps its session over a lost connection",
        sv="Enheten behåller sin session när förbindelsen bryts",
        drive=Drive.WATCH,
        run=session_kept,
    ),
    Case(
        id="TC-MSG-02",
        clauses=("VDI-MQTT-05", "VDI-MQTT-07", "VDI-MQTT-08"),
        en="Events and results have QoS 1, and only the status is retained",
        sv="Händelser och resultat har QoS 1, och bara statusen sparas hos mottagaren",
        drive=Drive.WATCH,
        run=delivery_flags,
    ),
    Case(
        id="TC-STA-01",
        clauses=("VDI-STA-03", "VDI-STA-04"),
        en="The status names the firmware, and the charge of a battery",
        sv="Statusen anger programversionen, och batteriets laddning",
        drive=Drive.WATCH,
        run=status_told,
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
