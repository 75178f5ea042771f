"""Kinds: the words that a device of its kind must be able to say, and what must stand in them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from gateway.conformance.bench import Bench
from gateway.conformance.case import Case, Drive
from gateway.conformance.cases.reading import messages
from gateway.conformance.verdict import Finding, failed, inconclusive, passed
from gateway.model.vocabulary import DeviceKind

SHOWN = 5


def says(*words: str) -> Callable[[Bench], Awaitable[Finding]]:
    """Return the case that has the device say each of the words, where it has not said it already."""

    async def run(bench: Bench) -> Finding:
        declared = bench.declaration
        if missing := [word for word in words if word not in declared.pics.events]:
            return failed(f"the declaration does not claim {', '.join(missing)}")
        shown: list[int] = []
        for word in words:
            seen = next(iter(bench.seen(word=word)), None)
            if seen is None:
                since = bench.mark()
                await bench.trigger(word)
                seen = await bench.wait(declared.pixit.operate_s + bench.margin_s, since, word=word)
                if seen is None:
                    return failed(f"it was operated, and {word} did not come", since)
            shown.append(seen.number)
        return passed(f"it says {', '.join(words)}", *shown)

    return run


async def accuracy_given(bench: Bench) -> Finding:
    """Look for the accuracy of each position, in events and in batches."""
    given = [
        (seen.number, "accuracy_m" in _data(one))
        for seen in (*messages(bench, "event"), *messages(bench, "telemetry"))
        for one in _items(seen.body)
        if one.get("type") == "vaka.position.update.v1"
    ]
    return _all(given, "a position without its accuracy", "position")


async def dose_given(bench: Bench) -> Finding:
    """Look for reference and due time in what is told of a dose."""
    words = {"medication.reminded", "medication.dispensed", "medication.taken", "medication.missed"}
    given = [
        (seen.number, {"dose", "due_at"} <= _data(seen.body).keys())
        for seen in messages(bench, "event")
        if seen.word in words
    ]
    return _all(given, "a dose without its reference or the time when it was due", "dose")


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the readings of a batch; an event is its own only one."""
    found = body.get("readings", [body])
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _data(found: dict[str, Any]) -> dict[str, Any]:
    data = found.get("data")
    return data if isinstance(data, dict) else {}


def _all(given: Sequence[tuple[int, bool]], wrong: str, what: str) -> Finding:
    bad = [number for number, good in given if not good]
    if bad:
        return failed(wrong, *bad[:SHOWN])
    if not given:
        return inconclusive(f"no {what} was told")
    return passed(f"{len(given)} told as asked", given[0][0])


def _of(kind: DeviceKind, case: str, clause: str, en: str, sv: str, *words: str) -> Case:
    return Case(
        id=case,
        clauses=(clause,),
        en=en,
        sv=sv,
        drive=Drive.OPERATE,
        run=says(*words),
        kinds=frozenset({kind}),
        within_s=8000,
    )


CASES: tuple[Case, ...] = (
    _of(
        DeviceKind.LOCK,
        "TC-LOCK-03",
        "VDI-LOCK-03",
        "A lock tells when it is locked and unlocked",
        "Ett lås berättar när det låses och låses upp",
        "lock.unlocked",
        "lock.locked",
    ),
    _of(
        DeviceKind.GPS_ALARM,
        "TC-GPS-01",
        "VDI-GPS-01",
        "A GPS alarm tells a call for help, and its position",
        "Ett gps-larm berättar ett larm, och sin position",
        "alarm.manual",
        "position.update",
    ),
    _of(
        DeviceKind.SOCIAL_ALARM,
        "TC-SOC-01",
        "VDI-SOC-01",
        "A social alarm tells a call for help",
        "Ett trygghetslarm berättar ett larm",
        "alarm.manual",
    ),
    _of(
        DeviceKind.DISPENSER,
        "TC-MED-02",
        "VDI-MED-02",
        "A dispenser tells a dose that was taken, and one that was missed",
        "En läkemedelsrobot berättar en dos som tagits, och en som missats",
        "medication.taken",
        "medication.missed",
    ),
    _of(
        DeviceKind.CAMERA,
        "TC-CAM-02",
        "VDI-CAM-02",
        "A camera tells a look that was made",
        "En kamera berättar en tillsyn som gjorts",
        "supervision.performed",
    ),
    Case(
        id="TC-GPS-02",
        clauses=("VDI-GPS-02",),
        en="Each position has its accuracy",
        sv="Varje position har sin noggrannhet",
        drive=Drive.WATCH,
        run=accuracy_given,
        kinds=frozenset({DeviceKind.GPS_ALARM}),
    ),
    Case(
        id="TC-MED-03",
        clauses=("VDI-MED-03",),
        en="A dose is told with its reference and when it was due",
        sv="En dos berättas med sin referens och när den skulle tas",
        drive=Drive.WATCH,
        run=dose_given,
        kinds=frozenset({DeviceKind.DISPENSER}),
    ),
)
"""What the kind of the device asks for."""
