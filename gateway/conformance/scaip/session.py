"""A session over SCAIP: one alarm unit that comes to our sockets, run through."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.conformance.case import Case
from gateway.conformance.declaration import Declaration
from gateway.conformance.exclusions import Exclusion
from gateway.conformance.hooks import HttpHook
from gateway.conformance.ports import Prompter, UpperTester
from gateway.conformance.probe import Address
from gateway.conformance.record import Record
from gateway.conformance.report import Report, report_of
from gateway.conformance.run import Requirement, Run, Told
from gateway.conformance.scaip.bench import ScaipBench
from gateway.conformance.scaip.cases import DECLARED
from gateway.contract import Clock, ConfigurationError
from gateway.service.clock import SystemClock
from gateway.transports.sip.links import Datagrams, StreamLink

OVER_SCAIP = "scaip"
"""What the report is about: SCAIP as deployed units and receivers speak it."""
MAX_LINKS = 64


@dataclass(frozen=True)
class ScaipPlan:
    """What is to be run, and where the unit sends to."""

    declaration: Declaration
    cases: Sequence[Case]
    clauses: Sequence[Requirement]
    listen: Address = field(default_factory=lambda: Address("127.0.0.1", 5060))
    exclusions: Sequence[Exclusion] = ()
    prompter: Prompter | None = None
    tester: UpperTester | None = None
    clock: Clock = field(default_factory=SystemClock)


class Door:
    """The sockets: UDP and TCP on one port."""

    def __init__(self, bench: ScaipBench) -> None:
        self._bench = bench
        self._datagrams: Datagrams | None = None
        self._server: asyncio.Server | None = None
        self._streams: set[StreamLink] = set()

    async def open(self, at: Address) -> int:
        """Open them and return the port; OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._stream, at.host, at.port)
        port = int(self._server.sockets[0].getsockname()[1])
        _, self._datagrams = await loop.create_datagram_endpoint(
            lambda: Datagrams(self._bench.received), local_addr=(at.host, port)
        )
        return port

    def _stream(self) -> StreamLink:
        bench = self._bench
        return StreamLink("TCP", bench.received, bench.uncut, self._joined, self._streams.discard)

    def _joined(self, stream: StreamLink) -> bool:
        self._streams.add(stream)
        return len(self._streams) <= MAX_LINKS

    async def close(self) -> None:
        """Close all of it."""
        if self._datagrams is not None:
            self._datagrams.close()
        if self._server is not None:
            self._server.close()
        for stream in list(self._streams):
            stream.abort()
        await asyncio.sleep(0)
        if self._server is not None:
            await self._server.wait_closed()


async def conduct(
    plan: ScaipPlan, told: Told = lambda *_: None, listening: Callable[[int], None] = lambda _: None
) -> Report:
    """Run all of it and return the report; `listening` hears the port."""
    bench = bench_of(plan)
    door = Door(bench)
    try:
        listening(await door.open(plan.listen))
        return await run_through(plan, bench, told)
    finally:
        bench.close()
        await door.close()


def bench_of(plan: ScaipPlan) -> ScaipBench:
    """Return the bench of a plan, with nothing open; ConfigurationError for a hook by MQTT."""
    tester = plan.tester or hook_of(plan.declaration)
    return ScaipBench(plan.declaration, Record(), plan.clock, tester, plan.prompter)


async def run_through(plan: ScaipPlan, bench: ScaipBench, told: Told = lambda *_: None) -> Report:
    """Run every case on a bench that is reached by the unit."""
    began_at = plan.clock.now()
    run = Run(bench, plan.cases, plan.clauses, plan.exclusions, told, declared=DECLARED)
    await run.execute()
    return report_of(run, began_at, f"SIP over {bench.said.over}", OVER_SCAIP)


def hook_of(declaration: Declaration) -> UpperTester | None:
    """Return the declared hook, None where there is none; ConfigurationError for one by MQTT."""
    tester = declaration.tester
    if tester.by == "mqtt":
        raise ConfigurationError('tester.by: found "mqtt"; allowed over SCAIP: "http", "none"')
    url = tester.url if tester.by == "http" else None
    return HttpHook(url, frozenset[str](tester.actions)) if url is not None else None
