"""A session over Bluetooth: one device on the air, run through, its bond left as it is at the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.conformance.ble.bench import GattBench
from gateway.conformance.ble.cases import DECLARED
from gateway.conformance.case import Case
from gateway.conformance.declaration import Declaration
from gateway.conformance.exclusions import Exclusion
from gateway.conformance.hooks import HttpHook
from gateway.conformance.ports import Prompter, UpperTester
from gateway.conformance.record import Record
from gateway.conformance.report import Report, report_of
from gateway.conformance.run import Requirement, Run, Told
from gateway.contract import Clock, ConfigurationError
from gateway.service.clock import SystemClock
from gateway.transports.ble.radio import Radio

OVER_GATT = "vaka/1/gatt"
"""What the report is about: the profile of the interface over GATT."""


@dataclass(frozen=True)
class GattPlan:
    """What is to be run, by which radio; the device is found by `connection.address` of its declaration."""

    declaration: Declaration
    cases: Sequence[Case]
    clauses: Sequence[Requirement]
    radio: Radio = field(default_factory=Radio)
    exclusions: Sequence[Exclusion] = ()
    prompter: Prompter | None = None
    tester: UpperTester | None = None
    clock: Clock = field(default_factory=SystemClock)


async def conduct(plan: GattPlan, told: Told = lambda *_: None) -> Report:
    """Run all of it and return the report."""
    began_at = plan.clock.now()
    tester = plan.tester or hook_of(plan.declaration)
    bench = GattBench(plan.declaration, Record(), plan.radio, plan.clock, tester, plan.prompter)
    run = Run(bench, plan.cases, plan.clauses, plan.exclusions, told, declared=DECLARED)
    try:
        await run.execute()
    finally:
        await bench.close()
    adapter = plan.radio.adapter or "of the system"
    return report_of(run, began_at, f"Bluetooth adapter {adapter}", OVER_GATT)


def hook_of(declaration: Declaration) -> UpperTester | None:
    """Return the declared hook, None where there is none; ConfigurationError for one by MQTT."""
    tester = declaration.tester
    if tester.by == "mqtt":
        raise ConfigurationError('tester.by: found "mqtt"; allowed over Bluetooth: "http", "none"')
    url = tester.url if tester.by == "http" else None
    return HttpHook(url, frozenset[str](tester.actions)) if url is not None else None
