"""The cases over SCAIP; `CASES` in the order in which they are run, `DECLARED` the first and the last."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from importlib.resources import files

from gateway.conformance.case import Case, Drive
from gateway.conformance.pics import CLAUSE, NO_DEVICE
from gateway.conformance.scaip import message as judged
from gateway.conformance.scaip.bench import RETRY_AFTER_S, ScaipBench
from gateway.conformance.scaip.message import Message
from gateway.conformance.verdict import Finding, about, failed, inconclusive, passed
from gateway.contract.clauses import Clause, read_file
from gateway.transports.sip.transactions import T1_S

SHOWN = 5
NO_ALARM = "no alarm came"
HEAD, LENGTH, DOCUMENT, THERE, FORM, OPTIONS, TAKEN, TIMER, AGAIN, SAME, MINE, ONCE, BUSY, OWN, LIFE, USER = (
    f"VDI-SCAIP-{number:02d}" for number in range(1, 17)
)


async def first_contact(bench: ScaipBench) -> Finding:
    """Have the unit alarm, and hold its way and its name against the declaration."""
    brought = await bench.bring()
    if brought is None:
        return inconclusive(f"{NO_DEVICE}: {NO_ALARM}")
    first, _ = brought
    if first.link.protocol.lower() != bench.said.over:
        return failed(f"it comes over {first.link.protocol}, declared is {bench.said.over}", first.number)
    return passed("it comes as declared", first.number)


async def only_declared(bench: ScaipBench) -> Finding:
    """Judge all that was said: nothing in another's name."""
    others = [one for one in bench.messages if one.fields.get("cid", bench.said.cid) != bench.said.cid]
    if others:
        return failed(f"its cid is not the declared {bench.said.cid}", *_shown(others))
    return passed(f"{len(bench.messages)} messages, all in its own name", 0)


async def asked_for_options(bench: ScaipBench) -> Finding:
    """Ask what the unit understands."""
    if not bench.messages:
        return inconclusive("nothing came from it yet: where it is, is not known")
    number, response = await bench.options()
    if response is None:
        return failed("it does not answer OPTIONS", number)
    if response.status_code >= 300:
        return failed(f"it answers OPTIONS with {response.status_code}", number)
    return passed("it answers OPTIONS", number)


async def unheard(bench: ScaipBench) -> Finding:
    """Answer nothing at all, and see the same request again."""
    bench.deaf = True
    brought = await bench.bring()
    if brought is None:
        return inconclusive(NO_ALARM)
    first, after = brought
    again = await bench.wait(lambda one: one.key == first.key, after, T1_S + bench.margin_s)
    if again is None:
        return failed("it does not repeat a datagram that nobody answers", first.number)
    return passed(f"again after {again.at_s - first.at_s:.2f} s", first.number, again.number)


async def unreplied(bench: ScaipBench) -> Sequence[Finding]:
    """Answer 200 and reply nothing; then reply to another ref; then rightly: one alarm, three answers."""
    bench.replying = False
    known = {one.ref for one in bench.messages}
    brought = await bench.bring()
    if brought is None:
        return [inconclusive(NO_ALARM)]
    first, after = brought
    bench.replying = bench.mistaken = True
    again = await bench.wait(lambda one: _anew(one, known - {first.ref}), after, bench.again_s)
    if again is None:
        rest = inconclusive("it does not ask again, so this cannot be seen")
        return [
            about(AGAIN, failed("a 200 without a reply is enough for it", first.number)),
            *(about(clause, rest) for clause in (SAME, MINE, ONCE)),
        ]
    same = (
        passed("it comes again with the same ref", first.number, again.number)
        if again.ref == first.ref
        else failed(f"{first.ref} comes again as {again.ref}", first.number, again.number)
    )
    asks = passed("it asks until it is replied to", first.number, again.number)
    return [about(AGAIN, asks), about(SAME, same), *await _mistaken(bench, again, known - {first.ref})]


async def _mistaken(bench: ScaipBench, again: Message, known: set[str]) -> list[Finding]:
    """The reply to `again` names another ref: one more must come; the reply to that one is right."""
    bench.mistaken = False
    more = await bench.wait(lambda one: _anew(one, known), bench.messages.index(again) + 1, bench.again_s)
    if more is None:
        rest = inconclusive("it does not ask again, so this cannot be seen")
        return [about(MINE, failed("it takes a reply to another ref", again.number)), about(ONCE, rest)]
    mine = about(MINE, passed("a reply to another ref is none", again.number, more.number))
    since = bench.messages.index(more) + 1
    surplus = await bench.wait(lambda one: one.ref == more.ref and not one.again, since, bench.again_s)
    if surplus is not None:
        return [mine, about(ONCE, failed("it sends again what is taken", more.number, surplus.number))]
    return [mine, about(ONCE, passed("once replied to, it is silent", more.number))]


def _anew(one: Message, known: set[str]) -> bool:
    return not one.again and not one.heartbeat and one.ref not in known


async def turned_away(bench: ScaipBench) -> Finding:
    """Be busy once, and see the alarm again."""
    bench.busy = True
    known = {one.ref for one in bench.messages}
    brought = await bench.bring()
    if brought is None:
        return inconclusive(NO_ALARM)
    first, after = brought
    bench.busy = False
    known -= {first.ref}
    again = await bench.wait(lambda one: _anew(one, known), after, RETRY_AFTER_S + bench.again_s)
    if again is None:
        return failed("an alarm that was turned away does not come again", first.number)
    return passed("an alarm that was turned away comes again", first.number, again.number)


async def two_alarms(bench: ScaipBench) -> Finding:
    """Have the unit alarm twice."""
    one = await bench.bring()
    await bench.settle()
    other = await bench.bring()
    if one is None or other is None:
        return inconclusive(NO_ALARM)
    numbers = one[0].number, other[0].number
    if one[0].ref == other[0].ref:
        return failed(f"two alarms have the ref {one[0].ref}", *numbers)
    return passed("each alarm has a ref of its own", *numbers)


async def alive(bench: ScaipBench) -> Finding:
    """Wait for a heartbeat as long as is declared."""
    within_s = bench.declaration.pixit.heartbeat_s + bench.margin_s
    found = await bench.wait(lambda one: one.heartbeat and not one.again, len(bench.messages), within_s)
    if found is None:
        return failed(f"no heartbeat within {within_s:g} s")
    return passed("a heartbeat came", found.number)


FORMS: dict[str, Callable[[Message], str]] = {
    HEAD: judged.head_fault,
    LENGTH: judged.length_fault,
    DOCUMENT: judged.document_fault,
    THERE: judged.missing_fault,
    FORM: judged.form_fault,
}


async def all_messages(bench: ScaipBench) -> Sequence[Finding]:
    """Hold every message of the run to every clause about messages."""
    await bench.answered()
    return [
        *(about(clause, _formed(bench, clause, fault)) for clause, fault in FORMS.items()),
        about(TAKEN, _taken(bench)),
        about(USER, _one_user(bench)),
    ]


def _formed(bench: ScaipBench, clause: str, fault: Callable[[Message], str]) -> Finding:
    found = [(one.number, why) for one in bench.messages if (why := fault(one))]
    if clause == HEAD:
        found += bench.malformed
    if found:
        return failed(found[0][1], *(number for number, _ in found[:SHOWN]))
    if not bench.messages:
        return inconclusive("nothing came")
    return passed(f"{len(bench.messages)} messages keep it", bench.messages[0].number)


def _taken(bench: ScaipBench) -> Finding:
    bad = [(number, one) for number, one in bench.taken if one is None or one.status_code >= 300]
    if bad:
        _, one = bad[0]
        how = "nothing" if one is None else str(one.status_code)
        return failed(f"it answers a reply with {how}", *(number for number, _ in bad[:SHOWN]))
    if not bench.taken:
        return inconclusive("nothing of it could be replied to")
    return passed(f"{len(bench.taken)} replies are answered", bench.taken[0][0])


def _one_user(bench: ScaipBench) -> Finding:
    users = {one.user: one.number for one in bench.messages}
    if len(users) > 1:
        return failed(f"its From names {len(users)} users", *list(users.values())[:SHOWN])
    if not users or "" in users:
        return failed("its From names no user", *users.values()) if users else inconclusive("nothing came")
    return passed("its From names the same user every time", *users.values())


def _shown(messages: Sequence[Message]) -> list[int]:
    return [one.number for one in messages[:SHOWN]]


Work = Callable[[ScaipBench], Awaitable[Finding | Sequence[Finding]]]


def _case(
    number: str, clauses: Sequence[str], words: tuple[str, str], drive: Drive, run: Work, *needs: str
) -> Case:
    en, sv = words
    return Case(
        id=f"TC-{number}", clauses=tuple(clauses), en=en, sv=sv, drive=drive, run=run,
        needs=frozenset(needs), within_s=100_000,
    )  # fmt: skip


DECLARED: tuple[Case, Case] = (
    _case(
        "PICS-21",
        [CLAUSE],
        ("The unit alarms, by the declared way", "Enheten larmar, på deklarerat sätt"),
        Drive.PROBE,
        first_contact,
    ),
    _case(
        "PICS-22",
        [CLAUSE],
        (
            "The unit speaks in the whole run in its own name alone",
            "Enheten talar under hela körningen bara i eget namn",
        ),
        Drive.WATCH,
        only_declared,
    ),
)
CASES: tuple[Case, ...] = (
    _case(
        "SCAIP-06",
        [OPTIONS],
        ("The unit is asked what it understands", "Enheten frågas vad den förstår"),
        Drive.PROBE,
        asked_for_options,
    ),
    _case(
        "SCAIP-08",
        [TIMER],
        ("A datagram is not answered at all", "Ett datagram besvaras inte alls"),
        Drive.OPERATE,
        unheard,
        "scaip:udp",
    ),
    _case(
        "SCAIP-09",
        [AGAIN, SAME, MINE, ONCE],
        (
            "An alarm gets 200 and no reply, then a reply to another ref, then the right one",
            "Ett larm får 200 utan svar, sedan svar på annan ref, sedan rätt svar",
        ),
        Drive.OPERATE,
        unreplied,
    ),
    _case(
        "SCAIP-13",
        [BUSY],
        ("An alarm is turned away with 503", "Ett larm avvisas med 503"),
        Drive.OPERATE,
        turned_away,
    ),
    _case(
        "SCAIP-14",
        [OWN],
        ("The unit alarms twice", "Enheten larmar två gånger"),
        Drive.OPERATE,
        two_alarms,
    ),
    _case(
        "SCAIP-15",
        [LIFE],
        ("A heartbeat is waited for", "Ett livstecken väntas in"),
        Drive.PROBE,
        alive,
        "scaip:heartbeat",
    ),
    _case(
        "SCAIP-01",
        [*FORMS, TAKEN, USER],
        ("Every message of the run is looked at", "Varje meddelande i körningen granskas"),
        Drive.WATCH,
        all_messages,
    ),
)


@cache
def clauses() -> tuple[Clause, ...]:
    """Return what an alarm unit is held to; they are no part of the standard device interface."""
    return read_file(files("gateway.conformance.scaip").joinpath("clauses.toml"))
