"""Cases about events: kept, told again, in order, few at a time; over new links and power cuts."""

import asyncio
from datetime import timedelta

from gateway.conformance.ble import profile
from gateway.conformance.ble.bench import GattBench, Value
from gateway.conformance.ble.making import case
from gateway.conformance.case import Drive
from gateway.conformance.verdict import Finding, failed, inconclusive, passed
from gateway.model.instant import from_iso

SOME = 3
MANY = 10
LONG_S = 3.0
"""So long a device that sends more than it may is given to do so."""


async def _again(bench: GattBench) -> list[Value]:
    """Leave, come back without acknowledging anything, and return the events that are told."""
    await bench.leave()
    since = bench.mark()
    await bench.listen()
    await bench.quiet(LONG_S)
    return bench.events(since)


async def kept(bench: GattBench) -> Finding:
    """Confirm events, acknowledge none, and come back."""
    bench.acknowledging = False
    told = await bench.bring(SOME)
    if not told:
        return inconclusive("no new event came")
    again = {one.sequence for one in await _again(bench)}
    lost = [one for one in told if one.sequence not in again]
    if lost:
        return failed("what was confirmed and not acknowledged does not come again", lost[0].number)
    return passed("all that was not acknowledged came again", told[0].number)


async def backlog(bench: GattBench) -> Finding:
    """Acknowledge the first of some, and hold what comes after a new connection against what came before."""
    bench.acknowledging = False
    told = await bench.bring(SOME)
    if len(told) < SOME:
        return inconclusive(f"{len(told)} new events came, {SOME} are needed")
    await bench.acknowledge(told[0].sequence)
    again = [one for one in await _again(bench) if one.sequence > bench.acknowledged]
    if not again:
        return inconclusive("nothing came again")
    order = list(dict.fromkeys(one.sequence for one in again))
    if order != sorted(order) or order[0] != told[1].sequence:
        return failed(f"it told {order}, the oldest unacknowledged is {told[1].sequence}", again[0].number)
    before = {one.sequence: one.body for one in told}
    changed = [one for one in again if one.body != before.get(one.sequence, one.body)]
    if changed:
        return failed("an event came again with other content", changed[0].number)
    return passed("it began at the oldest unacknowledged, in order, unchanged", again[0].number)


async def gone(bench: GattBench) -> Finding:
    """Acknowledge some, and see that they do not come again."""
    told = await bench.bring(SOME)
    await bench.drain()
    if not told:
        return inconclusive("no new event came")
    again = [one for one in await _again(bench) if one.sequence <= bench.acknowledged]
    if again:
        return failed(f"event {again[0].sequence} came again after it was acknowledged", again[0].number)
    return passed("what was acknowledged did not come again", told[0].number)


async def few(bench: GattBench) -> Finding:
    """Let many events wait, acknowledge none, and count."""
    bench.acknowledging = False
    told = await bench.bring(MANY)
    await asyncio.sleep(LONG_S)
    sent = {one.sequence for one in bench.events(0)} - set(range(bench.acknowledged + 1))
    if len(sent) > profile.UNACKNOWLEDGED:
        return failed(f"{len(sent)} events were sent without an acknowledgement", told[-1].number)
    if len(sent) < profile.UNACKNOWLEDGED:
        return inconclusive(f"only {len(sent)} of {MANY} events came")
    return passed(f"it stopped at {len(sent)}", told[-1].number)


async def counted(bench: GattBench) -> Finding:
    """Let some events wait, and hold State against them."""
    bench.acknowledging = False
    told = await bench.bring(SOME)
    if len(told) < SOME:
        return inconclusive(f"{len(told)} new events came, {SOME} are needed")
    state = await bench.state()
    number, waiting = len(bench.record) - 1, {one.sequence for one in told}
    found = (state.get("backlog"), state.get("next"))
    if found != (len(waiting), min(waiting)):
        return failed(f"State says backlog {found[0]}, next {found[1]}; {sorted(waiting)} wait", number)
    return passed("State tells how many wait and which is the oldest", number)


async def clock(bench: GattBench) -> Finding:
    """Start the device, read its clock's quality before and after it is told the time."""
    bench.telling_time = False
    await bench.reset()
    await bench.leave()
    await bench.listen()
    if (await bench.state()).get("clockquality") == "synced":
        return failed("its clock is synced before anybody told it the time", len(bench.record) - 1)
    await bench.write(profile.CURRENT_TIME, profile.current_time(bench.clock.now()))
    told = await bench.bring()
    if not told:
        return inconclusive("no new event came")
    last, at = told[-1], from_iso(str(told[-1].body.get("time")))
    if last.body.get("clockquality") == "unsynced":
        return failed("its clock is unsynced after Current Time was written", last.number)
    wrong = abs(bench.moment(last) - at) if at is not None else timedelta.max
    if wrong > timedelta(seconds=bench.margin_s + bench.declaration.pixit.operate_s):
        return failed(f"the event's time is {last.body.get('time')!r}, not what it was told", last.number)
    return passed("unsynced before, synced and right after", last.number)


async def power_cut(bench: GattBench) -> Finding:
    """Take the power while events wait."""
    bench.acknowledging = False
    told = await bench.bring(SOME)
    if not told:
        return inconclusive("no new event came")
    await bench.reset()
    again = {one.sequence for one in await _again(bench)}
    lost = [one for one in told if one.sequence not in again]
    if lost:
        return failed(f"event {lost[0].sequence} was lost with the power", lost[0].number)
    after = await bench.bring()
    if after and after[-1].sequence <= told[-1].sequence:
        return failed(f"its sequence went from {told[-1].sequence} to {after[-1].sequence}", after[-1].number)
    return passed("events and sequence outlived the power cut", told[0].number)


_ALL = (
    ("09", "Events are confirmed and not acknowledged", "Händelser bekräftas men kvitteras inte", kept),
    ("10", "The backlog after a new connection", "Kön efter en ny anslutning", backlog),
    ("11", "Acknowledged events after a new connection", "Kvitterade händelser efter en ny anslutning", gone),
    ("12", "Many events and no acknowledgement", "Många händelser utan kvittering", few),
    ("16", "State is held against what waits", "State jämförs med det som väntar", counted),
    (
        "15",
        "The clock before and after it is told the time",
        "Klockan före och efter att tiden ställts",
        clock,
    ),
    ("14", "The power is cut while events wait", "Strömmen bryts medan händelser väntar", power_cut),
)
CASES = tuple(
    case(f"TC-BLE-{number}", [f"VDI-BLE-{number}"], en, sv, Drive.OPERATE, run)
    for number, en, sv, run in _ALL
)
