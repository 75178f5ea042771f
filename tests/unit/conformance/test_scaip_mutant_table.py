"""The mutant table over SCAIP: for each clause a unit with one fault, caught by that clause and no other."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.conformance.declaration import Declaration
from gateway.conformance.report import Report, as_json
from gateway.conformance.scaip.cases import CASES, clauses
from gateway.conformance.scaip.session import (
    OVER_SCAIP,
    ScaipPlan,
    bench_of,
    hook_of,
    run_through,
)
from gateway.conformance.verdict import Verdict
from gateway.contract import ConfigurationError
from simulators.mutants.alarm_unit import AlarmUnit
from simulators.protocol.loop import VirtualClock, VirtualLoop

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
CLAUSES = [one.id for one in clauses()]
UDP_ONLY = "VDI-SCAIP-08"


class Wire:
    """A way without loss between a unit and the bench, whole messages, each a turn of the loop later."""

    peer = ("192.0.2.7", 5060)
    own = ("192.0.2.1", 5060)

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.reliable = protocol != "UDP"
        self.unit: AlarmUnit | None = None

    def send(self, data: bytes, to: tuple[str, int] | None = None) -> bool:
        assert self.unit is not None
        assert to in (None, self.peer)
        asyncio.get_running_loop().call_soon(self.unit.heard, data)
        return True


def declared(over: str = "udp", **changes: Any) -> Declaration:
    found: dict[str, Any] = {
        "device": {"vendor": "Exempel AB", "product": "TL-1", "firmware": "1.4", "kind": "social_alarm"},
        "connection": {"tenant": "demo", "device": "alarm-1"},
        "pics": {"events": ["alarm.manual"]},
        "pixit": {"operate_s": 2, "margin_s": 2, "heartbeat_s": 60},
        "scaip": {"cid": "26317", "over": over, "heartbeat": True, "again_s": 5},
    }
    return Declaration.model_validate(found | changes)


async def conducted(fault: str, declaration: Declaration, over: str) -> Report:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    wire = Wire(over)
    unit = AlarmUnit(
        lambda data: (loop.call_soon(bench.received, data, wire), None)[1], fault, over=over, heartbeat_s=60
    )
    wire.unit = unit
    plan = ScaipPlan(declaration, CASES, clauses(), tester=unit, clock=VirtualClock(loop, START))
    bench = bench_of(plan)
    unit.begin()
    try:
        return await run_through(plan, bench)
    finally:
        await unit.end()
        bench.close()


def reported(fault: str, declaration: Declaration | None = None, over: str = "udp") -> Report:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(conducted(fault, declaration or declared(), over.upper()))


@pytest.mark.parametrize("over", ["udp", "tcp"])
def test_the_unit_without_a_fault_passes_every_clause(over: str) -> None:
    report = reported("", declared(over), over)
    assert {one.id: one.reason for one in report.clauses if one.verdict is not Verdict.PASS} == (
        {} if over == "udp" else {UDP_ONLY: "the declaration does not claim scaip:udp"}
    )
    assert report.verdict is Verdict.PASS
    assert report.interface == OVER_SCAIP
    assert as_json(report)


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_fault_is_caught_by_its_clause_and_blames_no_other(clause: str) -> None:
    report = reported(clause[-2:])
    blamed = {one.id: one.reason for one in report.clauses if one.verdict is Verdict.FAIL}
    print(f"{clause:12} {blamed.get(clause, 'not caught')}")  # noqa: T201 - the table, shown with -s
    assert set(blamed) == {clause}, blamed
    assert report.verdict is Verdict.FAIL


def test_a_unit_in_anothers_name_is_not_as_declared() -> None:
    scaip = {"cid": "99999", "heartbeat": True, "again_s": 5}
    report = reported("", declared(scaip=scaip))
    assert {one.id for one in report.clauses if one.verdict is Verdict.FAIL} == {"KIT-PICS-01"}


def test_a_unit_over_another_way_is_not_as_declared() -> None:
    report = reported("", declared("tcp"), "udp")
    assert {one.id for one in report.clauses if one.verdict is Verdict.FAIL} == {"KIT-PICS-01"}


def test_a_test_hook_by_mqtt_is_refused_over_scaip() -> None:
    with pytest.raises(ConfigurationError, match=r"tester\.by"):
        hook_of(declared(tester={"by": "mqtt"}))


def test_a_declaration_without_scaip_has_the_digest_that_it_had() -> None:
    mqtt = declared(scaip=None, pics={"mqtt": ["5"], "events": ["alarm.manual"]})
    assert "scaip" not in mqtt.public()


def test_every_clause_has_a_case() -> None:
    assert {clause for case in CASES for clause in case.clauses} == set(CLAUSES)
