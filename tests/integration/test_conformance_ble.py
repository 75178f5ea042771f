"""The conformance kit over Bluetooth, against firmware that shares no code with it."""

from pathlib import Path
from typing import Any

import pytest

from gateway.conformance.ble.cases import CASES, held_to
from gateway.conformance.ble.session import GattPlan, conduct
from gateway.conformance.declaration import Declaration
from gateway.conformance.report import Report
from gateway.conformance.verdict import Verdict
from gateway.transports.ble.radio import Radio
from tests.integration.mosquitto import free_port
from tests.integration.test_firmware_mocks_ble import ADDRESS, DISPENSER, LOCK, Bench, on_the_radio

DEVICES: dict[str, tuple[Path, dict[str, Any]]] = {
    "lock": (LOCK, {"events": ["lock.locked", "lock.unlocked"], "commands": ["lock"]}),
    "medication_dispenser": (DISPENSER, {"events": ["medication.taken", "medication.missed"]}),
}


def report_on(folder: Path, kind: str, *faults: str) -> Report:
    program, pics = DEVICES[kind]
    hook, found = free_port(), list[Report]()
    declared = Declaration.model_validate(
        {
            "device": {"vendor": "Exempel AB", "product": "mock", "firmware": "1.0.0", "kind": kind},
            "connection": {"tenant": "demo", "device": "mock-1", "address": ADDRESS},
            "pics": pics,
            "pixit": {"boot_s": 15, "operate_s": 3, "margin_s": 2},
            "tester": {"by": "http", "url": f"http://127.0.0.1:{hook}", "actions": ["event", "reset"]},
        }
    )

    async def walk(bench: Bench) -> None:
        radio = Radio(scanner=bench.radio.scanner, client=bench.radio.client)
        async with bench.mock(program, *faults, hook_port=hook):
            found.append(await conduct(GattPlan(declared, CASES, held_to("v1"), radio)))

    on_the_radio(folder, walk)
    return found[0]


@pytest.mark.parametrize("kind", DEVICES)
def test_a_firmware_mock_passes_every_must_clause_over_bluetooth(kind: str, tmp_path: Path) -> None:
    report = report_on(tmp_path, kind)
    wrong = {
        one.id: (one.verdict.value, one.reason)
        for one in report.clauses
        if one.level == "must" and one.verdict not in {Verdict.PASS, Verdict.NOT_APPLICABLE}
    }
    assert wrong == {}
    assert report.verdict is Verdict.PASS


def test_a_mock_that_refuses_every_bond_does_not_pass(tmp_path: Path) -> None:
    report = report_on(tmp_path, "lock", "refuses-bonding")
    assert report.verdict is not Verdict.PASS
