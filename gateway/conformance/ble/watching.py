"""Cases that judge all values of the run, each as the gateway itself reads it."""

from collections.abc import Iterator, Sequence

from gateway.conformance.ble.bench import GattBench, Value
from gateway.conformance.ble.making import case
from gateway.conformance.case import Drive
from gateway.conformance.cases.reading import INTERFACE, Fault
from gateway.conformance.pics import CLAUSE
from gateway.conformance.verdict import Finding, Verdict, about, failed, inconclusive, not_applicable, passed
from gateway.contract import Undecodable
from gateway.model.frame import Frame, Transport
from gateway.plugins import load_adapters

MARKS = {"event": "type", "status": "state", "result": "outcome"}
"""The field that a value of each kind has, and no other kind."""
SHOWN = 5
FORM = ("VDI-BLE-01", "VDI-BLE-02", "VDI-BLE-03", "VDI-BLE-13")
BRANCHES = {
    "": FORM,
    "event": ("VDI-EVT-01", "VDI-EVT-02", "VDI-EVT-03", "VDI-EVT-06", "VDI-EVT-07"),
    "status": ("VDI-BLE-05", "VDI-STA-01", "VDI-STA-02"),
    "result": ("VDI-RES-01",),
}
"""The clauses that the values of a branch are held to; "" is every branch."""
RADIO = "VDI-BLE-04"


async def read_as_the_gateway_does(bench: GattBench) -> Sequence[Finding]:
    """Hold every value to every clause about values."""
    found = list(_faults(bench))
    ours = about(RADIO, not_applicable("it is of what the gateway's own radio says, not of the device"))
    judged = [
        _judged(bench, clause, branch, found) for branch, clauses in BRANCHES.items() for clause in clauses
    ]
    return [*judged, ours]


def _judged(bench: GattBench, clause: str, branch: str, found: Sequence[Fault]) -> Finding:
    blamed = [fault for fault in found if fault.clause == clause]
    if blamed:
        return about(clause, failed(blamed[0].reason, *(fault.packet for fault in blamed[:SHOWN])))
    said = [value for value in bench.values if not branch or value.branch == branch]
    if said:
        word = f"{len(said)} values{' of ' + branch if branch else ''} keep it"
        return about(clause, passed(word, said[0].number))
    if branch == "result" and not bench.declaration.pics.commands:
        return about(clause, not_applicable("the declaration claims no commands"))
    return about(clause, inconclusive(f"no value of {branch or 'any kind'} was seen"))


def _faults(bench: GattBench) -> Iterator[Fault]:
    (adapter,) = load_adapters([INTERFACE])
    base = f"ble/vaka/1/{bench.declaration.connection.native_id}"
    for value in bench.values:
        if value.wrong:
            yield Fault("VDI-BLE-13", value.number, value.wrong)
        if why := _elsewhere(value):
            yield Fault("VDI-BLE-01", value.number, why)
            continue
        try:
            adapter.decode(Frame(Transport.BLE, f"{base}/{value.branch}", value.raw, bench.moment(value)))
        except Undecodable as error:
            yield Fault(error.clause, value.number, error.reason)


def _elsewhere(value: Value) -> str:
    if MARKS[value.branch] in value.body:
        return ""
    others = [kind for kind, mark in MARKS.items() if mark in value.body]
    return f"a value of {others[0]} came where {value.branch} belongs" if others else ""


async def only_declared(bench: GattBench) -> Finding:
    """Judge all that was said: nothing that the declaration does not name."""
    words = {value.word: value.number for value in bench.values if value.word}
    strange = {word: number for word, number in words.items() if word not in bench.declaration.pics.events}
    if strange:
        return failed(f"it says what is not declared: {', '.join(sorted(strange))}", *strange.values())
    if not bench.values:
        return Finding(Verdict.INCONCLUSIVE, "it said nothing")
    return passed(f"{len(bench.values)} values, all of declared kinds")


CASES = (
    case(
        "TC-BLE-01",
        [*(clause for clauses in BRANCHES.values() for clause in clauses), RADIO],
        "Every value is read as the gateway reads it",
        "Varje värde läses så som gatewayen läser det",
        Drive.WATCH,
        read_as_the_gateway_does,
    ),
)
LAST = case(
    "TC-PICS-12",
    [CLAUSE],
    "The device says nothing in the whole run that is not declared",
    "Enheten säger under hela körningen inget som inte är deklarerat",
    Drive.WATCH,
    only_declared,
)
