"""The load run: connect all, release each message at its intended time, wait for every PUBACK."""

import asyncio
import time

from gateway.contract.errors import ConfigurationError
from simulators.load.ledger import Ledger, Report
from simulators.load.link import LoadLink
from simulators.load.plan import Plan

TICK_S = 0.001
"""Granularity of an evenly spaced run; the intended time of a message is exact all the same."""

PING_S = 15.0
START_TOGETHER = 200
"""Connections that are opened at the same time."""


async def run_load(plan: Plan, stop: asyncio.Event) -> Report:
    """Connect all, send all, wait for every PUBACK; returns early when stopped or out of patience."""
    ledger = Ledger(plan.messages, plan.acked)
    run = f"{time.time_ns() // 1000:x}"
    links = [LoadLink(plan, number, device, run, ledger) for number, device in enumerate(plan.devices())]
    try:
        await _connect(links, plan)
        ledger.begin()
        await _send(links, plan, ledger, stop)
    finally:
        for link in links:
            link.close()
        ledger.close()
    return ledger.report()


async def _connect(links: list[LoadLink], plan: Plan) -> None:
    for start in range(0, len(links), START_TOGETHER):
        ready = [link.start() for link in links[start : start + START_TOGETHER]]
        try:
            await asyncio.wait_for(asyncio.gather(*ready), plan.patience_s)
        except TimeoutError as error:
            raise ConfigurationError(
                f"{plan.broker.host}:{plan.broker.port}: no answer within {plan.patience_s:.0f} s"
            ) from error


async def _send(links: list[LoadLink], plan: Plan, ledger: Ledger, stop: asyncio.Event) -> None:
    """Release messages to the links in the order of their intended times; then wait for the last PUBACK."""
    released, pinged, count = 0, time.monotonic(), len(links)
    while not (ledger.complete or stop.is_set() or ledger.idle_s() > plan.patience_s):
        if released < plan.messages:
            due = plan.messages if not plan.rate else min(plan.messages, int(ledger.age_s() * plan.rate) + 1)
            touched = range(released, min(due, released + count))
            for number in touched:
                link = links[number % count]
                link.released = (due - 1 - link.number) // count + 1
                link.pump()
            released = due
        if time.monotonic() - pinged > PING_S:
            pinged = time.monotonic()
            for link in links:
                link.ping()
        await asyncio.sleep(TICK_S)
