"""The first case and the last: whether the device is what its declaration says."""

from collections.abc import Iterator

import mqtt5

from gateway.conformance.bench import Bench
from gateway.conformance.case import Case, Drive
from gateway.conformance.record import Direction, Seen
from gateway.conformance.verdict import Finding, Verdict, failed, inconclusive, passed
from gateway.transports.mqtt_checks import MQTT_5
from gateway.transports.mqtt_listener.topics import matches

CLAUSE = "KIT-PICS-01"
EN = "The device is what its declaration (PICS) says: protocol, firmware, words, commands, configuration."
SV = "Enheten är vad dess deklaration (PICS) säger: protokoll, firmware, ord, kommandon, konfiguration."
NO_DEVICE = "the device did not connect"


async def first_contact(bench: Bench) -> Finding:
    """Wait for the device, and hold its first connection against the declaration."""
    pixit = bench.declaration.pixit
    if not await bench.link(pixit.boot_s + pixit.reconnect_s + bench.margin_s):
        refused = [seen.number for seen in bench.record if seen.kind in {"REFUSED", "CONNACK"}]
        return inconclusive(f"{NO_DEVICE}, or our side did not accept it", *refused[:5])
    connect = next(seen for seen in bench.record if seen.kind == "CONNECT")
    status = await bench.wait(bench.margin_s + pixit.operate_s, 0, branch="status")
    if bench.declaration.flags & {"commands", "config"}:
        await bench.listening(bench.margin_s + pixit.operate_s)
    faults = list(_differences(bench, connect, status))
    if faults:
        return failed("; ".join(reason for reason, _ in faults), *(number for _, number in faults))
    return passed("protocol, firmware and subscriptions are as declared", connect.number)


def _differences(bench: Bench, connect: Seen, status: Seen | None) -> Iterator[tuple[str, int]]:
    declared = bench.declaration
    level = "5" if connect.level == MQTT_5 else "3.1.1"
    if level not in declared.pics.mqtt:
        yield f"it connects with MQTT {level}, declared is {', '.join(declared.pics.mqtt)}", connect.number
    opened = next(seen for seen in bench.record if seen.kind == "OPEN" and seen.link == connect.link)
    if declared.pics.tls and opened.remark == "plain":
        yield "it connects without TLS, which is declared", opened.number
    firmware = status.body.get("firmware") if status is not None else None
    if status is not None and firmware not in (None, declared.device.firmware):
        yield f"its firmware is {firmware!r}, declared is {declared.device.firmware!r}", status.number
    for branch, claimed in (("command", declared.pics.commands), ("config", declared.pics.config)):
        if claimed and not _subscribes(bench, declared.connection.topic(branch)):
            yield f"it declares {branch} and does not subscribe to it", connect.number


def _subscribes(bench: Bench, topic: str) -> bool:
    filters = [
        wanted.pattern
        for seen in bench.record
        if isinstance(seen.packet, mqtt5.SubscribePacket)
        for wanted in seen.packet.topic_filters
    ]
    return any(matches(pattern, topic) for pattern in filters)


async def only_declared(bench: Bench) -> Finding:
    """Judge all that was said: nothing that the declaration does not name."""
    pics = bench.declaration.pics
    said = bench.seen(kind="PUBLISH", direction=Direction.UP)
    strange = {seen.word: seen.number for seen in said if seen.word and seen.word not in pics.events}
    if strange:
        return failed(f"it says what is not declared: {', '.join(sorted(strange))}", *strange.values())
    batches = [seen.number for seen in said if seen.branch == "telemetry"]
    if batches and not pics.telemetry:
        return failed("it sends telemetry, which is not declared", batches[0])
    if not said:
        return Finding(Verdict.INCONCLUSIVE, "it said nothing")
    return passed(f"{len(said)} messages, all of declared kinds")


CASES: tuple[Case, Case] = (
    Case(
        id="TC-PICS-01",
        clauses=(CLAUSE,),
        en="The device connects, and its first connection is as declared",
        sv="Enheten ansluter, och dess första anslutning är som deklarerat",
        drive=Drive.PROBE,
        run=first_contact,
        within_s=8000,
    ),
    Case(
        id="TC-PICS-02",
        clauses=(CLAUSE,),
        en="The device says nothing in the whole run that is not declared",
        sv="Enheten säger under hela körningen inget som inte är deklarerat",
        drive=Drive.WATCH,
        run=only_declared,
    ),
)
"""What is run before and after all other cases."""
