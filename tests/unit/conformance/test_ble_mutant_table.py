"""The mutant table over Bluetooth: for each clause of GATT a device with one fault, caught by that clause."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.conformance.ble.cases import CASES, held_to
from gateway.conformance.ble.session import OVER_GATT, GattPlan, conduct, hook_of
from gateway.conformance.declaration import Declaration
from gateway.conformance.pics import CLAUSE
from gateway.conformance.report import Report, as_json
from gateway.conformance.run import Standing
from gateway.conformance.verdict import Verdict
from gateway.contract import ConfigurationError
from gateway.transports.ble.radio import Radio
from simulators.protocol.loop import VirtualClock, VirtualLoop
from simulators.radio.backend import VirtualRadio
from simulators.radio.conditions import Conditions
from simulators.radio.devices.faulty import FaultyLock
from simulators.radio.host import make_host
from simulators.radio.medium import Medium

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
ADDRESS = "F0:00:00:00:00:01"
OURS = "VDI-BLE-04"
"""The clause about the gateway's own radio: no device can break it."""
GATT = [one.id for one in held_to("v1") if one.over == "ble" and one.level == "must" and one.id != OURS]


def declared(**changes: Any) -> Declaration:
    found: dict[str, Any] = {
        "device": {
            "vendor": "Exempel AB", "product": "ML-1", "firmware": "3.2.1", "kind": "lock",
            "serial": "SN-4711",
        },
        "connection": {"tenant": "demo", "device": "lock-1", "address": ADDRESS},
        "pics": {"events": ["lock.locked", "lock.unlocked"], "commands": ["lock", "unlock"], "grants": True},
        "pixit": {"boot_s": 10, "operate_s": 2, "margin_s": 2},
    }  # fmt: skip
    return Declaration.model_validate(found | changes)


async def conducted(fault: str, **changes: Any) -> Report:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    medium = Medium(Conditions(instant_connect=True, supervision_timeout_s=0.5))
    radio = VirtualRadio.on(medium)
    await radio.open()
    lock = FaultyLock(lambda: make_host(medium, ADDRESS, "lock"), "demo/lock-1", "SN-4711", fault)
    await lock.power_on()
    wanted = Radio(scanner=radio.scanner, client=radio.client)
    clock, told = VirtualClock(loop, START), declared(**changes)
    plan = GattPlan(told, CASES, held_to("v1"), wanted, tester=lock, clock=clock)
    try:
        return await conduct(plan)
    finally:
        await radio.close()
        await lock.power_cut()


def reported(fault: str, **changes: Any) -> Report:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(conducted(fault, **changes))


def standings(fault: str, **changes: Any) -> dict[str, Standing]:
    return {one.id: one for one in reported(fault, **changes).clauses}


def test_the_lock_without_a_fault_passes_every_clause() -> None:
    fine = {Verdict.PASS, Verdict.NOT_APPLICABLE}
    report = reported("")
    assert report.verdict is Verdict.PASS
    assert report.interface == OVER_GATT
    assert as_json(report)
    found = {one.id: one for one in report.clauses}
    assert {one.id: (one.verdict, one.reason) for one in found.values() if one.verdict not in fine} == {}
    assert [one.id for one in found.values() if one.verdict is Verdict.NOT_APPLICABLE] == [OURS]


@pytest.mark.parametrize("clause", GATT)
def test_a_fault_is_caught_by_its_clause_and_blames_no_other(clause: str) -> None:
    found = standings(clause)
    blamed = {one.id: one.reason for one in found.values() if one.verdict is Verdict.FAIL}
    print(f"{clause:12} {blamed.get(clause, 'not caught')}")  # noqa: T201 - the table, shown with -s
    assert set(blamed) == {clause}, blamed


def test_a_device_with_other_firmware_is_not_as_declared() -> None:
    other = declared().device.model_copy(update={"firmware": "9.9.9"})
    assert standings("", device=other.model_dump())[CLAUSE].verdict is Verdict.FAIL


def test_a_device_that_is_not_there_gets_no_verdict() -> None:
    nobody = declared().connection.model_copy(update={"address": "F0:00:00:00:00:99"}).model_dump()
    report = reported("", connection=nobody)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert {case.findings[0].verdict for case in report.cases[1:]} == {Verdict.NOT_EXECUTED}


def test_a_test_hook_by_mqtt_is_refused_over_bluetooth() -> None:
    with pytest.raises(ConfigurationError, match=r"tester\.by"):
        hook_of(declared(tester={"by": "mqtt"}))


def test_every_must_clause_of_gatt_has_a_case() -> None:
    tested = {clause for case in CASES for clause in case.clauses}
    assert tested >= {*GATT, OURS}
