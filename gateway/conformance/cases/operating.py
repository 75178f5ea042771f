"""Operating: the device is brought to speak, once in peace and once when its acknowledgement is lost."""

from datetime import timedelta

from gateway.conformance.bench import MARGIN_S, Bench
from gateway.conformance.case import Case, Drive
from gateway.conformance.verdict import Finding, failed, inconclusive, not_applicable, passed


async def every_word(bench: Bench) -> Finding:
    """Have the device say each word that it can be brought to say, so that all can be judged."""
    declared = bench.declaration
    for word in declared.pixit.operated or declared.pics.events:
        since = bench.mark()
        await bench.trigger(word)
        if await bench.wait(declared.pixit.operate_s + MARGIN_S, since, word=word) is None:
            return inconclusive(f"it was operated, and {word} did not come")
    return passed("every word came when the device was operated")


async def sent_again(bench: Bench) -> Finding:
    """Lose an acknowledgement and the link; what comes again must be the same event under the same id."""
    declared = bench.declaration
    word = (declared.pixit.operated or declared.pics.events)[0]
    await bench.sleep(MARGIN_S)  # what came before is acknowledged, and has another time
    lost, since = bench.swallow("PUBACK"), bench.mark()
    await bench.trigger(word)
    first = await bench.wait(declared.pixit.operate_s + MARGIN_S, since, word=word)
    if first is None:
        return inconclusive(f"it was operated, and {word} did not come")
    await bench.sleep(MARGIN_S)
    bench.cut()
    lost.end()
    number, moment = first.number, first.body.get("time")
    again = await bench.record.wait(
        lambda seen: seen.word == word and seen.body.get("time") == moment,
        bench.patience_s + declared.pixit.resend_s,
        number + 1,
    )
    if again is None:
        return inconclusive("the event that was not acknowledged did not come again", number)
    if again.body.get("id") != first.body.get("id"):
        return failed("the event came again under another id", number, again.number)
    return passed("the event came again under its id", number, again.number)


async def answers_a_command(bench: Bench) -> Finding:
    """Give a command that needs no grant, and wait for its result."""
    declared = bench.declaration
    free = [do for do in declared.pics.commands if do != "unlock" or not declared.pics.grants]
    if not free:
        return not_applicable("the declaration claims no command that needs no grant")
    since, name = bench.mark(), bench.command_id()
    limit = declared.pixit.command_s + MARGIN_S
    expires = bench.clock.now() + timedelta(seconds=2 * limit)
    await bench.command(id=name, do=free[0], expires=expires.isoformat())
    told = await bench.wait(limit, since, branch="result")
    if told is None:
        return failed(f"the command {free[0]!r} had no result", since)
    if told.body.get("id") != name:
        return failed(f"the result is for {told.body.get('id')!r}, the command was {name!r}", told.number)
    return passed(f"the command {free[0]!r} had its result", told.number)


async def ignores_unknown_fields(bench: Bench) -> Finding:
    """Send a configuration with a field that no version knows; it must be taken up all the same."""
    if not bench.declaration.pics.config:
        return not_applicable("the declaration claims no configuration")
    since, revision = bench.mark(), bench.revision()
    await bench.configure(revision=revision, a_field_of_tomorrow={"deep": [1, 2, 3]})
    limit = bench.declaration.pixit.command_s + MARGIN_S
    told = await bench.wait(
        limit, since, branch="status", test=lambda seen: seen.body.get("config_revision") == revision
    )
    if told is None:
        return failed(f"revision {revision} with an unknown field was not reported as applied", since)
    return passed("a configuration with an unknown field is taken up", told.number)


CASES: tuple[Case, ...] = (
    Case(
        id="TC-SAY-01",
        clauses=("VDI-EVT-07",),
        en="The device says what it is brought to say",
        sv="Enheten säger det den får att säga",
        drive=Drive.OPERATE,
        run=every_word,
        within_s=8000,
    ),
    Case(
        id="TC-AGAIN-01",
        clauses=("VDI-EVT-02",),
        en="An event whose acknowledgement was lost comes again under the same id",
        sv="En händelse vars kvittens gick förlorad kommer igen med samma id",
        drive=Drive.OPERATE,
        run=sent_again,
        within_s=8000,
    ),
    Case(
        id="TC-CMD-01",
        clauses=("VDI-RES-01",),
        en="A command has a result",
        sv="Ett kommando får ett resultat",
        drive=Drive.PROBE,
        run=answers_a_command,
    ),
    Case(
        id="TC-NEW-01",
        clauses=("VDI-EVT-10",),
        en="A field that the device does not know does not keep it from the rest",
        sv="Ett fält som enheten inte känner hindrar den inte från resten",
        drive=Drive.PROBE,
        run=ignores_unknown_fields,
    ),
)
"""In the order in which they are run."""
