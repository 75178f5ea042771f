"""Cases about what is written to a device: commands, and what is no value at all."""

from datetime import timedelta
from typing import Any

from gateway.conformance.ble import profile
from gateway.conformance.ble.bench import GattBench, NoLinkError, RefusedError, Value
from gateway.conformance.ble.making import case
from gateway.conformance.case import Drive
from gateway.conformance.granting import NEEDS_GRANT
from gateway.conformance.verdict import Finding, failed, inconclusive, not_applicable, passed

LATER = timedelta(minutes=5)


async def _told(bench: GattBench, **values: Any) -> Value | None:
    """Send a command, and return its result in time."""
    since = bench.mark()
    await bench.send(profile.COMMAND, values)

    def results() -> list[Value]:
        return [
            one
            for one in bench.values[since:]
            if one.branch == "result" and one.body.get("id") == values["id"]
        ]

    await bench.until(lambda: bool(results()), bench.declaration.pixit.command_s + bench.margin_s)
    return results()[0] if results() else None


def _command(bench: GattBench) -> str:
    return next((do for do in bench.declaration.pics.commands if do not in NEEDS_GRANT), "")


async def result(bench: GattBench) -> Finding:
    """Send a command that it knows."""
    if not (do := _command(bench)):
        return not_applicable("every command of the declaration needs a grant")
    expires = (bench.clock.now() + LATER).isoformat()
    told = await _told(bench, id=bench.command_id(), do=do, expires=expires)
    if told is None:
        return failed("a command had no result within the declared time", len(bench.record) - 1)
    return passed("the command had its result", told.number)


async def expired(bench: GattBench) -> Finding:
    """Send a command that is past its time."""
    do = _command(bench) or bench.declaration.pics.commands[0]
    expires = (bench.clock.now() - LATER).isoformat()
    told = await _told(bench, id=bench.command_id(), do=do, expires=expires)
    if told is None:
        return inconclusive("it had no result")
    outcome = told.body.get("outcome")
    if outcome != "expired":
        return failed(f"the outcome of an expired command is {outcome!r}", told.number)
    return passed("it was not carried out", told.number)


async def once(bench: GattBench) -> Finding:
    """Send the same command twice."""
    if not (do := _command(bench)):
        return not_applicable("every command of the declaration needs a grant")
    expires = (bench.clock.now() + LATER).isoformat()
    key, since = bench.command_id(), bench.mark()
    first = await _told(bench, id=key, do=do, expires=expires)
    await bench.quiet()
    middle, again = bench.mark(), await _told(bench, id=key, do=do, expires=expires)
    await bench.quiet()
    if first is None:
        return inconclusive("the command had no result")
    if again is None or again.body.get("outcome") != first.body.get("outcome"):
        return failed("the result was not told again", first.number)
    known = {one.sequence for one in bench.events(0) if one not in bench.events(middle)}
    twice = [one for one in bench.events(middle) if one.sequence not in known]
    if bench.events(since) and twice:
        return failed("it was carried out a second time", twice[0].number)
    return passed("carried out once, told twice", again.number)


async def unknown(bench: GattBench) -> Finding:
    """Send a command that no device has."""
    expires = (bench.clock.now() + LATER).isoformat()
    told = await _told(bench, id=bench.command_id(), do="kit-unheard-of", expires=expires)
    if told is None:
        return inconclusive("it had no result")
    if told.body.get("outcome") != "rejected":
        return failed(f"the outcome of an unknown command is {told.body.get('outcome')!r}", told.number)
    return passed("it was rejected", told.number)


async def formless(bench: GattBench) -> Finding:
    """Write what is no value, and see that the device stands as before."""
    before = await bench.state()
    for uuid, value, name in (
        (profile.COMMAND, b"\x80\xff\xff", "a command that is no CBOR"),
        (profile.COMMAND, b"\x83\xa0", "a fragment out of its turn"),
        (profile.CONFIG, b"\x80\x01", "a configuration that is no map"),
        (profile.ACKNOWLEDGE, b"\x01", "an acknowledgement of one byte"),
    ):
        await bench.listen()
        try:
            await bench.write(uuid, value)
        except RefusedError:
            continue
        except NoLinkError:
            return failed(f"{name} ended the link", len(bench.record) - 1)
        return failed(f"{name} was taken", len(bench.record) - 1)
    after = await bench.state()
    if after.get("config_revision") != before.get("config_revision"):
        return failed("its configuration changed", len(bench.record) - 1)
    return passed("each was refused, and nothing changed", len(bench.record) - 1)


_COMMANDS = frozenset({"commands"})
CASES = (
    case(
        "TC-BLE-17",
        ["VDI-BLE-17"],
        "What is no value is written",
        "Det som inte är ett värde skrivs",
        Drive.PROBE,
        formless,
    ),
    case(
        "TC-BLE-21",
        ["VDI-CMD-01"],
        "A command over GATT, in the smallest fragments",
        "Ett kommando över GATT, i minsta möjliga delar",
        Drive.PROBE,
        result,
        needs=_COMMANDS,
    ),
    case(
        "TC-BLE-22",
        ["VDI-CMD-02"],
        "An expired command over GATT",
        "Ett utgånget kommando över GATT",
        Drive.PROBE,
        expired,
        needs=_COMMANDS,
    ),
    case(
        "TC-BLE-23",
        ["VDI-CMD-03"],
        "The same command twice over GATT",
        "Samma kommando två gånger över GATT",
        Drive.PROBE,
        once,
        needs=_COMMANDS,
    ),
    case(
        "TC-BLE-24",
        ["VDI-CMD-04"],
        "An unknown command over GATT",
        "Ett okänt kommando över GATT",
        Drive.PROBE,
        unknown,
        needs=_COMMANDS,
    ),
)
