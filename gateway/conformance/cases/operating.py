"""Operating: the device is brought to say each of its words, in peace."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from gateway.conformance.bench import Bench
from gateway.conformance.case import Case, Drive
from gateway.conformance.record import Seen
from gateway.conformance.verdict import Finding, about, failed, inconclusive, not_applicable, passed

RIGHT_TO = timedelta(seconds=5)
"""How wrong a clock that is called synced may be (VDI-EVT-13)."""
LOW_PERCENT, FULL_PERCENT = 15, 90


async def every_word(bench: Bench) -> Sequence[Finding]:
    """Have the device say each word that it can be brought to say, so that all can be judged."""
    declared, began = bench.declaration, bench.mark()
    came: list[tuple[datetime, Seen]] = []
    for word in declared.operated:
        since, asked_at = bench.mark(), bench.clock.now()
        await bench.trigger(word)
        seen = await bench.wait(declared.pixit.operate_s + bench.margin_s, since, word=word)
        if seen is None:
            return [inconclusive(f"it was operated, and {word} did not come")]
        came.append((asked_at, seen))
    await bench.sleep(declared.pixit.operate_s)
    return [
        about("VDI-EVT-07", passed("every word came when the device was operated")),
        about("VDI-EVT-13", _clock_is_right(bench, came)),
        about("VDI-EVT-16", _once_each(bench, began)),
    ]


def _clock_is_right(bench: Bench, came: Sequence[tuple[datetime, Seen]]) -> Finding:
    said = [(asked, seen) for asked, seen in came if seen.body.get("clockquality") == "synced"]
    if not said:
        return not_applicable("it calls its clock synced nowhere")
    for asked, seen in said:
        at = seen.happened
        if at is not None and not asked - RIGHT_TO <= at <= bench.moment(seen) + RIGHT_TO:
            apart_s = (at - bench.moment(seen)).total_seconds()
            return failed(f"its clock is called synced, and {apart_s:+.0f} s apart from ours", seen.number)
    return passed("its clock is called synced, and is right", *(seen.number for _, seen in said))


def _once_each(bench: Bench, since: int) -> Finding:
    """Each word was brought about as often as it stands in the declaration, and must be told as often."""
    operated = bench.declaration.operated
    told: dict[str, dict[object, int]] = {}
    for seen in bench.seen(since, branch="event"):
        told.setdefault(seen.word, {}).setdefault(seen.body.get("id"), seen.number)
    for word in operated:
        numbers = told.get(word, {})
        if len(numbers) > operated.count(word) and word != "heartbeat":
            return failed(f"{word} happened once, and was told {len(numbers)} times", *numbers.values())
    return passed("what happened once was told once")


async def low_battery(bench: Bench) -> Finding:
    """Let the battery become low."""
    declared = bench.declaration
    if "battery.low" not in declared.pics.events:
        return failed("it declares a battery, and not the event battery.low")
    await bench.battery(FULL_PERCENT)  # a device that has told a low battery does not tell it again
    await bench.quiet()
    since = bench.mark()
    await bench.battery(LOW_PERCENT)
    try:
        event = await bench.wait(declared.pixit.operate_s + bench.margin_s, since, word="battery.low")
    finally:
        await bench.battery(FULL_PERCENT)
    if event is None:
        return failed(f"its battery was at {LOW_PERCENT} %, and battery.low did not come", since)
    return passed("a low battery is told", event.number)


CASES: Sequence[Case] = (
    Case(
        id="TC-SAY-01",
        clauses=("VDI-EVT-07", "VDI-EVT-13", "VDI-EVT-16"),
        en="The device says what it is brought to say, once, with the right time",
        sv="Enheten säger det den får att säga, en gång, med rätt tid",
        drive=Drive.OPERATE,
        run=every_word,
        within_s=8000,
    ),
    Case(
        id="TC-BATT-01",
        clauses=("VDI-EVT-17",),
        en="A low battery is told",
        sv="Ett svagt batteri meddelas",
        drive=Drive.OPERATE,
        run=low_battery,
        needs=frozenset({"battery"}),
        within_s=8000,
    ),
)
"""In the order in which they are run."""
