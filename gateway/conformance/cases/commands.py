"""Commands: what the device does with one that is right, late, doubled, unknown, or not permitted."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from gateway.conformance.bench import Bench
from gateway.conformance.case import Case, Drive
from gateway.conformance.granting import NEEDS_GRANT
from gateway.conformance.record import Direction, Seen
from gateway.conformance.verdict import Finding, Verdict, failed, inconclusive, not_applicable, passed
from gateway.model.vocabulary import DeviceKind

LATE = timedelta(seconds=90)
"""A command is so long expired when it is sent: more than any clock called synced is wrong (VDI-EVT-13)."""
UNKNOWN = "sing"
Grants = Callable[[str, str], str | None]
"""(command id, do): the grant that goes with it."""


def _limit(bench: Bench) -> float:
    return bench.declaration.pixit.command_s + bench.margin_s


async def _taught(bench: Bench) -> None:
    """Tell the device, by its configuration, the key that grants are signed with."""
    if not bench.declaration.pics.grants:
        return
    revision = bench.revision()
    since = bench.mark()
    await bench.configure(revision=revision, grant_keys=[bench.granting.key])
    await bench.wait(
        _limit(bench), since, branch="status", test=lambda seen: seen.body.get("config_revision") == revision
    )


def _order(bench: Bench, do: str, **other: Any) -> dict[str, Any]:
    """Return a command that the device must obey, with `other` fields in the place of the right ones."""
    name = bench.command_id()
    expires = bench.clock.now() + timedelta(seconds=2 * _limit(bench))
    body: dict[str, Any] = {"id": name, "do": do, "expires": expires.isoformat()}
    if do in NEEDS_GRANT and bench.declaration.pics.grants:
        body["grant"] = bench.granting.grant(name, do)
    if do == "supervise":
        body |= {"until": expires.isoformat(), "masking": 2}
    return {key: value for key, value in (body | other).items() if value is not None}


def _possible(bench: Bench) -> list[str]:
    """Return the declared commands that can be given: without grants, only those that need none."""
    pics = bench.declaration.pics
    return [do for do in pics.commands if pics.grants or do not in NEEDS_GRANT]


async def _ask(bench: Bench, body: dict[str, Any], since: int | None = None) -> Seen | None:
    """Give a command, and return its result; None when none came in time."""
    since = bench.mark() if since is None else since
    await bench.command(**body)
    return await bench.wait(
        _limit(bench), since, branch="result", test=lambda seen: seen.body.get("id") == body["id"]
    )


async def answers(bench: Bench) -> Finding:
    """Give each declared command once, as the gateway would, and wait for its result."""
    await _taught(bench)
    told: list[int] = []
    for do in _possible(bench):
        since = bench.mark()
        result = await _ask(bench, _order(bench, do), since)
        if result is None:
            return failed(f"the command {do!r} had no result", since)
        if result.body.get("outcome") != "done":
            why = f"the command {do!r} was right, and its outcome is {result.body.get('outcome')!r}"
            return failed(why, result.number)
        told.append(result.number)
    if not told:
        return not_applicable("each of its commands needs a grant, and the declaration claims none")
    return passed(f"{len(told)} commands had their result", *told)


async def expired(bench: Bench) -> Finding:
    """Give a command whose time has passed."""
    await _taught(bench)
    if not (possible := _possible(bench)):
        return not_applicable("each of its commands needs a grant, and the declaration claims none")
    do = possible[0]
    body = _order(bench, do, expires=(bench.clock.now() - LATE).isoformat())
    return _outcome(await _ask(bench, body), "expired", f"a command {do!r} that has expired")


async def unknown(bench: Bench) -> Finding:
    """Give a command that no version has."""
    return _outcome(await _ask(bench, _order(bench, UNKNOWN)), "rejected", "a command that does not exist")


async def doubled(bench: Bench) -> Finding:
    """Give the same command twice, as a network may; it must be done once and answered again."""
    await _taught(bench)
    if not (possible := _possible(bench)):
        return not_applicable("each of its commands needs a grant, and the declaration claims none")
    do = possible[0]
    since, body = bench.mark(), _order(bench, do)
    first = await _ask(bench, body)
    if first is None:
        return inconclusive(f"the command {do!r} had no result", since)
    await bench.sleep(bench.declaration.pixit.operate_s)
    middle = bench.mark()
    second = await _ask(bench, body)
    if second is None:
        return failed("the command came again, and its result was not told again", first.number)
    await bench.sleep(bench.declaration.pixit.operate_s)
    if second.body.get("outcome") != first.body.get("outcome"):
        return failed("the same command has two outcomes", first.number, second.number)
    done = [seen.number for seen in bench.seen(middle, branch="event") if seen.word != "heartbeat"]
    already = {seen.body.get("id") for seen in bench.seen(0, branch="event") if seen.number < middle}
    news = [number for number in done if bench.record[number].body.get("id") not in already]
    if news:
        return failed("the same command was carried out twice", *news)
    return passed("it was carried out once, and answered twice", first.number, second.number)


async def located(bench: Bench) -> Finding:
    """Ask where the device is; it must say so, not only that it was asked."""
    since = bench.mark()
    result = await _ask(bench, _order(bench, "locate"), since)
    if result is None or result.body.get("outcome") != "done":
        return inconclusive("'locate' was not done", since)
    place = await bench.wait(
        bench.declaration.pixit.operate_s + bench.margin_s,
        since,
        test=lambda seen: seen.direction is Direction.UP and b'"vaka.position.update.v1"' in seen.payload,
    )
    if place is None:
        return failed("'locate' was done, and no position came", result.number)
    return passed("'locate' brought a position", result.number, place.number)


async def not_granted(bench: Bench) -> Finding:
    """Ask for what needs a grant without one, and with one that somebody else has signed."""
    return await _refused(
        bench,
        {
            "without a grant": lambda _name, _do: None,
            "with a forged grant": lambda name, do: bench.granting.grant(name, do, forged=True),
        },
    )


async def wrongly_granted(bench: Bench) -> Finding:
    """Ask with a grant that was right once, or elsewhere."""
    now = int(bench.clock.now().timestamp())
    return await _refused(
        bench,
        {
            "with a grant that has ended": lambda name, do: bench.granting.grant(
                name, do, nbf=now - 7200, exp=now - 3600
            ),
            "with another device's grant": lambda name, do: bench.granting.grant(
                name, do, aud="vaka:somewhere/else"
            ),
            "with another command's grant": lambda name, do: bench.granting.grant(
                name, do, cmd=f"another-than-{name}"
            ),
        },
    )


async def _refused(bench: Bench, ways: Mapping[str, Grants]) -> Finding:
    await _taught(bench)
    asked = [do for do in bench.declaration.pics.commands if do in NEEDS_GRANT]
    if not asked:
        return not_applicable("the declaration claims no command that needs a grant")
    seen: list[int] = []
    for how, grant in ways.items():
        name = bench.command_id()
        result = await _ask(bench, _order(bench, asked[0], id=name, grant=grant(name, asked[0])))
        finding = _outcome(result, "rejected", f"{asked[0]!r} {how}")
        if finding.verdict is not Verdict.PASS:
            return finding
        seen += finding.evidence
    return passed(f"{asked[0]!r} is refused {', '.join(ways)}", *seen)


def _outcome(result: Seen | None, wanted: str, what: str) -> Finding:
    if result is None:
        return failed(f"{what} had no result")
    found = result.body.get("outcome")
    if found != wanted:
        return failed(f"{what} has the outcome {found!r}, not {wanted}", result.number)
    return passed(f"{what} has the outcome {wanted}", result.number)


_COMMANDS, _GRANTS = frozenset({"commands"}), frozenset({"commands", "grants"})
CASES: Sequence[Case] = (
    Case(
        id="TC-CMD-01",
        clauses=("VDI-CMD-01",),
        en="Each command has its result",
        sv="Varje kommando får sitt resultat",
        drive=Drive.PROBE,
        run=answers,
        needs=_COMMANDS,
    ),
    Case(
        id="TC-CMD-02",
        clauses=("VDI-CMD-02",),
        en="A command that has expired is not carried out",
        sv="Ett kommando som gått ut utförs inte",
        drive=Drive.PROBE,
        run=expired,
        needs=_COMMANDS,
    ),
    Case(
        id="TC-CMD-03",
        clauses=("VDI-CMD-03",),
        en="A command that comes twice is carried out once",
        sv="Ett kommando som kommer två gånger utförs en gång",
        drive=Drive.PROBE,
        run=doubled,
        needs=_COMMANDS,
    ),
    Case(
        id="TC-CMD-04",
        clauses=("VDI-CMD-04",),
        en="A command that does not exist is rejected",
        sv="Ett kommando som inte finns avvisas",
        drive=Drive.PROBE,
        run=unknown,
        needs=_COMMANDS,
    ),
    Case(
        id="TC-GPS-03",
        clauses=("VDI-GPS-03",),
        en="A command to locate brings a position",
        sv="Kommandot att lokalisera ger en position",
        drive=Drive.PROBE,
        run=located,
        kinds=frozenset({DeviceKind.GPS_ALARM}),
        needs=frozenset({"command:locate"}),
    ),
    Case(
        id="TC-CMD-05",
        clauses=("VDI-CMD-05",),
        en="What needs a grant is rejected without one, and with a forged one",
        sv="Det som kräver behörighetsbevis avvisas utan, och med ett förfalskat",
        drive=Drive.PROBE,
        run=not_granted,
        needs=_COMMANDS,
    ),
    Case(
        id="TC-CMD-06",
        clauses=("VDI-CMD-06",),
        en="A grant that has ended, or is another's, is rejected",
        sv="Ett behörighetsbevis som gått ut, eller är någon annans, avvisas",
        drive=Drive.PROBE,
        run=wrongly_granted,
        needs=_GRANTS,
    ),
)
