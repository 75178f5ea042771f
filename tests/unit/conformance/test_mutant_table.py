"""The mutant table: for each must-clause a device with one fault, caught by exactly that clause."""

import asyncio
from pathlib import Path

import pytest
from virtual_bench import NAME, PASSWORD, PROBE_PORT, START, declared, play, rig

from gateway.conformance.bench import Bench
from gateway.conformance.cases import CASES
from gateway.conformance.pics import CLAUSE
from gateway.conformance.run import Run, Standing
from gateway.conformance.verdict import Verdict
from gateway.contract.clauses import clauses_of
from simulators.mutants.device import Device
from simulators.mutants.kinds import KINDS, kind_of, words_of
from simulators.protocol.client import Login
from simulators.protocol.loop import VirtualClock
from simulators.protocol.network import NetworkLoop

MUST = {clause.id: clause for clause in clauses_of("v1", "mqtt") if clause.level == "must"}
RIGHT = {"lock": "", "gps_alarm": "VDI-GPS-00", "social_alarm": "VDI-SOC-00"} | {
    "medication_dispenser": "VDI-MED-00",
    "camera": "VDI-CAM-00",
}
"""A fault that is no clause's: a device of each kind that is right in everything."""


def standings(folder: Path, fault: str) -> dict[str, Standing]:
    kind = KINDS[kind_of(fault)]
    words = words_of(kind.name, fault)
    pics = {
        "events": [*words, "heartbeat", "battery.low"],
        "commands": list(kind.commands),
        "config": ["heartbeat_s", "grant_keys"],
        "grants": bool({"unlock", "supervise"} & kind.commands.keys()),
        "telemetry": True,
        "battery": True,
        "credentials": kind.name == "lock",
        "clock_setting": True,
    }
    told = declared(pics=pics, device={"kind": kind.name}, pixit={"operated": list(words)})

    async def whole() -> dict[str, Standing]:
        async with rig(folder, told) as one:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, NetworkLoop)
            device = Device(loop, START, Login(NAME, PASSWORD, PROBE_PORT), fault)
            bench = Bench(told, one.record, one.probe, one.served, VirtualClock(loop, START), device)
            device.on()
            run = Run(bench, CASES, clauses_of("v1", "mqtt"))
            await run.execute()
            device.off()
            return {standing.id: standing for standing in run.standings()}

    return play(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_the_device_without_a_fault_passes_every_must_clause_of_its_kind(kind: str, tmp_path: Path) -> None:
    found = standings(tmp_path, RIGHT[kind])
    fine = {Verdict.PASS, Verdict.NOT_APPLICABLE}
    wrong = {one.id: (one.verdict, one.reason) for one in found.values() if one.verdict not in fine}
    assert wrong == {}
    others = {one.id for one in found.values() if one.verdict is Verdict.NOT_APPLICABLE}
    of_other_kinds = {clause.id for clause in MUST.values() if clause.profile and kind not in clause.profile}
    if kind == "lock":
        assert others & MUST.keys() == of_other_kinds


@pytest.mark.parametrize("clause", MUST)
def test_a_fault_is_caught_by_its_clause_and_blames_no_other(clause: str, tmp_path: Path) -> None:
    found = standings(tmp_path, clause)
    blamed = {
        name: one.reason
        for name, one in found.items()
        if one.level == "must" and one.verdict is Verdict.FAIL and name != CLAUSE
    }
    print(f"{clause:12} {blamed.get(clause, 'not caught')}")  # noqa: T201 - the table, shown with -s
    assert set(blamed) == {clause}, blamed


def test_every_must_clause_has_a_case() -> None:
    tested = {clause for case in CASES for clause in case.clauses}
    assert tested <= {clause.id for clause in clauses_of("v1", "mqtt")}
    assert tested >= MUST.keys()
