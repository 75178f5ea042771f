"""A session: everything put together for one device on real sockets, run through, and taken down again."""

import ssl
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from gateway.conformance.behind import Behind
from gateway.conformance.bench import Bench
from gateway.conformance.case import Case
from gateway.conformance.declaration import Declaration
from gateway.conformance.exclusions import Exclusion
from gateway.conformance.hooks import hook_of
from gateway.conformance.ports import Counterpart, Prompter
from gateway.conformance.probe import Address, Probe
from gateway.conformance.record import Record
from gateway.conformance.report import Report, report_of
from gateway.conformance.run import Requirement, Run, Told
from gateway.conformance.served import Served
from gateway.contract import Clock
from gateway.service.clock import SystemClock


@dataclass(frozen=True)
class Plan:
    """What is to be run. Without `broker` the kit serves its own counterpart; devices come to `listen`."""

    declaration: Declaration
    cases: Sequence[Case]
    clauses: Sequence[Requirement]
    listen: Address
    broker: Address | None = None
    exclusions: Sequence[Exclusion] = ()
    prompter: Prompter | None = None
    clock: Clock = field(default_factory=SystemClock)


async def conduct(plan: Plan, told: Told, listening: Callable[[int], None]) -> Report:
    """Run all of it and return the report; `listening` hears the port. OSError when it cannot listen."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vaka-conform-")))
        clock, connection = plan.clock, plan.declaration.connection
        began_at = clock.now()
        record = Record()
        served = Served(plan.declaration, folder, clock) if plan.broker is None else None
        probe = Probe(record, connection, plan.listen, lambda: plan.broker or _address(served))
        side: Counterpart = served if served is not None else Behind(connection, probe)
        stack.push_async_callback(side.stop)
        await side.start()
        stack.push_async_callback(probe.stop)
        await probe.start()
        listening(probe.port)
        hook = hook_of(plan.declaration, probe)
        bench = Bench(plan.declaration, record, probe, side, clock, hook, plan.prompter)
        run = Run(bench, plan.cases, plan.clauses, plan.exclusions, told)
        await run.execute()
        broker = plan.broker
        counterpart = "the kit's own listener" if broker is None else f"broker {broker.host}:{broker.port}"
        return report_of(run, began_at, counterpart)


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the TLS of the probe's own door; raises ssl.SSLError or OSError for files it cannot use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def _address(served: Served | None) -> Address:
    if served is None:
        raise TypeError("either a broker or a served counterpart")
    return served.address
