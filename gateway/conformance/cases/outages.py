"""Outages: what becomes of events when the acknowledgement, the link, the power or the time is lost."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import cycle, islice, pairwise

from gateway.conformance.bench import Bench
from gateway.conformance.case import Case, Drive
from gateway.conformance.record import Seen
from gateway.conformance.verdict import Finding, about, failed, inconclusive, not_applicable, passed

STEP_S = 3.0
"""Between two things that happen without a link."""
MOST = 3
"""So many things happen without a link, or as many as the device says it keeps."""
STATUS_WITHIN_S = 30.0
MOST_ATTEMPTS = 15
"""More attempts to connect than that in half a minute are no back-off (VDI-MQTT-13)."""
HALF_A_MINUTE_S = 30.0
TOLERANCE = timedelta(seconds=2)
"""So much a delay that was measured once may differ the next time."""


async def sent_again(bench: Bench) -> Sequence[Finding]:
    """Lose an acknowledgement and the link; the event must come again, as the same event."""
    declared = bench.declaration
    word = declared.operated[0]
    await bench.sleep(bench.margin_s)  # what came before is acknowledged, and has another time
    lost, since = bench.swallow("PUBACK"), bench.mark()
    await bench.trigger(word)
    first = await bench.wait(declared.pixit.operate_s + bench.margin_s, since, word=word)
    if first is None:
        return [inconclusive(f"it was operated, and {word} did not come")]
    await bench.sleep(bench.margin_s)
    bench.cut()
    lost.end()
    again = await bench.record.wait(
        lambda seen: _same(seen, first), bench.patience_s + declared.pixit.resend_s, first.number + 1
    )
    if again is None:
        why = "the event that was not acknowledged did not come again"
        return [about("VDI-MQTT-11", failed(why, first.number)), about("VDI-EVT-02", inconclusive(why))]
    shown = (first.number, again.number)
    came = about("VDI-MQTT-11", passed("the event that was not acknowledged came again", *shown))
    if again.body.get("id") != first.body.get("id"):
        return [came, about("VDI-EVT-02", failed("the event came again under another id", *shown))]
    return [came, about("VDI-EVT-02", passed("the event came again under its id", *shown))]


def _same(seen: Seen, first: Seen) -> bool:
    """Tell whether an event is that one again: by its id, its number or its time."""
    fields = ("id", "sequence", "time")
    known = any(key in first.body and seen.body.get(key) == first.body[key] for key in fields)
    return known and seen.word == first.word


async def comes_back(bench: Bench) -> Sequence[Finding]:
    """Break the link; the device must be there again by itself, and say so."""
    since = bench.mark()
    bench.cut()
    connect = await bench.relink(since)
    if connect is None:
        why = f"it did not connect again within {bench.declaration.pixit.reconnect_s:g} s"
        return [about("VDI-MQTT-12", failed(why, since)), about("VDI-MQTT-10", inconclusive(why))]
    back = about("VDI-MQTT-12", passed("it connected again by itself", connect.number))
    status = await bench.wait(
        STATUS_WITHIN_S,
        connect.number,
        branch="status",
        test=lambda seen: seen.body.get("state") == "online",
    )
    if status is None:
        why = f"no status online within {STATUS_WITHIN_S:g} s of the connection"
        return [back, about("VDI-MQTT-10", failed(why, connect.number))]
    return [back, about("VDI-MQTT-10", passed("it said online after it had connected", status.number))]


async def backlog(bench: Bench) -> Sequence[Finding]:
    """Let things happen while no link can be had, and judge what comes afterwards."""
    declared = bench.declaration
    words = list(islice(cycle(declared.operated), min(MOST, declared.pics.offline_events)))
    since, before = bench.mark(), _numbered(bench.seen(branch="event"))
    for number, word in enumerate(words, 1):
        await bench.trigger(word, after_s=bench.margin_s + STEP_S * number)
    began = bench.clock.now()
    down_s = bench.margin_s + STEP_S * len(words) + declared.pixit.operate_s + 2 * bench.margin_s
    await bench.outage(down_s)
    ended = bench.clock.now() - timedelta(seconds=bench.margin_s)
    late = await _came(bench, since, words)
    return [
        about("VDI-MQTT-15", _all_in_order(late, words, since)),
        about("VDI-EVT-14", _when_it_happened(bench, late, began, ended)),
        about("VDI-EVT-11", _went_on(before, late)),
        about("VDI-MQTT-13", _backed_off(bench, since, down_s)),
    ]


async def _came(bench: Bench, since: int, words: Sequence[str]) -> list[Seen]:
    """Return the first copy of each event that came of these words, as long as one is missing in time."""
    limit = bench.patience_s + bench.declaration.pixit.resend_s
    ends, known = bench.record.now_s() + limit, {seen.body.get("id") for seen in bench.record.until(since)}
    while True:
        found: dict[object, Seen] = {}
        for seen in bench.seen(since, branch="event"):
            if seen.word in words and seen.body.get("id") not in known:
                found.setdefault(seen.body.get("id") or seen.number, seen)
        left = ends - bench.record.now_s()
        if len(found) >= len(words) or left <= 0:
            return list(found.values())
        await bench.wait(left, branch="event")


def _all_in_order(late: Sequence[Seen], words: Sequence[str], since: int) -> Finding:
    numbers = [seen.number for seen in late]
    if len(late) < len(words):
        why = f"{len(words)} things happened without a link, {len(late)} were told afterwards"
        return failed(why, *(numbers or [since]))
    wrong = [two.number for one, two in pairwise(late) if _place(two) < _place(one)]
    if wrong:
        return failed("what happened without a link did not come in its order", *wrong)
    return passed(f"{len(late)} events came after the outage, in order", *numbers)


def _place(seen: Seen) -> tuple[int, str]:
    """Return where an event belongs: by its number, without one by its time."""
    number = seen.body.get("sequence")
    return (number if isinstance(number, int) else 0, str(seen.body.get("time", "")))


def _when_it_happened(bench: Bench, late: Sequence[Seen], began: datetime, ended: datetime) -> Finding:
    """Compare by the device's own clock, right or wrong: what it said at once tells how it differs."""
    first = late[0].number if late else 0
    said = [seen for seen in bench.record.until(first) if seen.branch == "event"]
    apart = [seen.happened - bench.moment(seen) for seen in said if seen.happened is not None]
    timed = [
        (seen.number, seen.happened - max(apart)) for seen in late if seen.happened is not None and apart
    ]
    if not timed:
        return inconclusive("no event with a time came after the outage, or none before it")
    wrong = [number for number, at in timed if not began - TOLERANCE <= at <= ended]
    if wrong:
        return failed("an event that was sent later does not have the time at which it happened", *wrong)
    return passed("each has the time at which it happened", *(number for number, _ in timed))


def _numbered(said: Sequence[Seen]) -> list[int]:
    found = [seen.body.get("sequence") for seen in said]
    return [number for number in found if isinstance(number, int)]


def _went_on(before: Sequence[int], late: Sequence[Seen]) -> Finding:
    after = _numbered(late)
    if not late or not before:
        return inconclusive("no two events to compare")
    if not after:
        return not_applicable("its events carry no sequence")
    if min(after) < max(before):  # the same number again is another fault: VDI-EVT-08
        return failed(
            f"the sequence was {max(before)}, and is {min(after)} afterwards", *(seen.number for seen in late)
        )
    return passed(f"the sequence went on from {max(before)} to {min(after)}", late[0].number)


def _backed_off(bench: Bench, since: int, down_s: float) -> Finding:
    dialled = [seen.number for seen in bench.seen(since, kind="REFUSED")]
    told = f"{len(dialled)} attempts to connect in {down_s:g} s"
    if len(dialled) > MOST_ATTEMPTS * max(1.0, down_s / HALF_A_MINUTE_S):
        return failed(told, *dialled[:5])
    return passed(told, *dialled[:5])


async def power_cut(bench: Bench) -> Finding:
    """Operate the device, cut its power, and operate it again: its numbers must go on."""
    declared = bench.declaration
    word, since = declared.operated[0], bench.mark()
    before = _numbered(bench.seen(branch="event"))[-1:]  # after a lost link is another clause: VDI-EVT-11
    if not before:
        return inconclusive("no event with a sequence came before")
    await bench.reset()
    limit = declared.pixit.boot_s + bench.patience_s
    if await bench.wait(limit, since, kind="CONNECT") is None or not await bench.link(limit):
        return inconclusive(f"it was not there again {limit:g} s after its power was cut", since)
    await bench.listening(declared.pixit.operate_s)
    after = bench.mark()
    await bench.trigger(word)
    event = await bench.news(word, after, declared.pixit.operate_s + bench.margin_s)
    return _went_on(before, [event]) if event else inconclusive(f"it was operated, and {word} did not come")


async def kept_without_power(bench: Bench) -> Finding:
    """Operate the device while no link can be had, and cut its power before one can."""
    pixit, word = bench.declaration.pixit, bench.declaration.operated[0]
    since = bench.mark()
    await bench.trigger(word, after_s=bench.margin_s + STEP_S)
    reset_s = bench.margin_s + 2 * STEP_S + pixit.operate_s
    await bench.reset(after_s=reset_s)
    await bench.outage(reset_s + bench.margin_s)
    limit = pixit.boot_s + bench.patience_s + pixit.resend_s
    event = await bench.news(word, since, limit)
    if event is None:
        return failed("what waited when the power was cut was lost", since)
    return passed("what waited when the power was cut came afterwards", event.number)


async def no_clock(bench: Bench) -> Finding:
    """Take the time from the device: what it says then must not call its clock synced."""
    word = bench.declaration.operated[0]
    await bench.clock_shift(None)
    try:
        since = bench.mark()
        await bench.trigger(word)
        event = await bench.news(word, since, bench.declaration.pixit.operate_s + bench.margin_s)
    finally:
        await bench.clock_shift(0)
    if event is None:
        return inconclusive(f"it was operated, and {word} did not come")
    if event.body.get("clockquality") == "synced":
        return failed("it has lost the time, and calls its clock synced", event.number)
    return passed("it says that its clock is not synced", event.number)


CASES: Sequence[Case] = (
    Case(
        id="TC-AGAIN-01",
        clauses=("VDI-MQTT-11", "VDI-EVT-02"),
        en="An event whose acknowledgement was lost comes again under the same id",
        sv="En händelse vars kvittens gick förlorad kommer igen med samma id",
        drive=Drive.OPERATE,
        run=sent_again,
        within_s=8000,
    ),
    Case(
        id="TC-LINK-01",
        clauses=("VDI-MQTT-12", "VDI-MQTT-10"),
        en="It comes back after a lost link, and says so",
        sv="Den kommer tillbaka efter en bruten förbindelse, och talar om det",
        drive=Drive.PROBE,
        run=comes_back,
        within_s=8000,
    ),
    Case(
        id="TC-OUT-01",
        clauses=("VDI-MQTT-15", "VDI-EVT-14", "VDI-EVT-11", "VDI-MQTT-13"),
        en="What happens without a link comes afterwards, in order, with its time and number",
        sv="Det som händer utan förbindelse kommer efteråt, i ordning, med sin tid och sitt nummer",
        drive=Drive.OPERATE,
        run=backlog,
        needs=frozenset({"offline"}),
        within_s=8000,
    ),
    Case(
        id="TC-POWER-01",
        clauses=("VDI-EVT-12",),
        en="Its numbers go on after a power cut",
        sv="Dess nummer fortsätter efter ett strömavbrott",
        drive=Drive.OPERATE,
        run=power_cut,
        within_s=8000,
    ),
    Case(
        id="TC-POWER-02",
        clauses=("VDI-MQTT-17",),
        en="What waits in the device survives a power cut",
        sv="Det som väntar i enheten överlever ett strömavbrott",
        drive=Drive.OPERATE,
        run=kept_without_power,
        needs=frozenset({"offline"}),
        within_s=8000,
    ),
    Case(
        id="TC-TIME-01",
        clauses=("VDI-EVT-15",),
        en="A clock that lost the time is not called synced",
        sv="En klocka som tappat tiden kallas inte synkad",
        drive=Drive.OPERATE,
        run=no_clock,
        needs=frozenset({"clock"}),
        within_s=8000,
    ),
)
"""In the order in which they are run."""
