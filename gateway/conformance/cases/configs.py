"""Configurations: taken up, told, refused as a whole, and followed."""

from collections.abc import Sequence
from typing import Any

from gateway.conformance.bench import Bench
from gateway.conformance.case import Case, Drive
from gateway.conformance.record import Seen
from gateway.conformance.verdict import Finding, failed, inconclusive, passed

BEAT_S = 4
BEATS = 3
SLACK_S = 2.0
IMPOSSIBLE_S = -5


async def _applied(bench: Bench, revision: int, **values: Any) -> Seen | None:
    """Send a configuration, and return the status that tells its revision; None when none came in time."""
    since = bench.mark()
    await bench.configure(revision=revision, **values)
    return await bench.wait(
        bench.declaration.pixit.command_s + bench.margin_s,
        since,
        branch="status",
        test=lambda seen: seen.body.get("config_revision") == revision,
    )


async def told(bench: Bench) -> Finding:
    """Send a configuration, and wait for the status that says it is in force."""
    revision, since = bench.revision(), bench.mark()
    status = await _applied(bench, revision)
    if status is None:
        return failed(f"revision {revision} was not reported as applied", since)
    return passed("the status tells the revision", status.number)


async def ignores_unknown_fields(bench: Bench) -> Finding:
    """Send a configuration with a field that no version knows; it must be taken up all the same."""
    if await _applied(bench, bench.revision()) is None:
        return inconclusive("a configuration without such a field was not reported as applied")
    revision, since = bench.revision(), bench.mark()
    status = await _applied(bench, revision, a_field_of_tomorrow={"deep": [1, 2, 3]})
    if status is None:
        return failed(f"revision {revision} with an unknown field was not reported as applied", since)
    return passed("a configuration with an unknown field is taken up", status.number)


async def whole_or_not(bench: Bench) -> Finding:
    """Send a configuration, then one that nobody can apply; it must not be reported as in force."""
    revision = bench.revision()
    status = await _applied(bench, revision)
    if status is None:
        return inconclusive(f"revision {revision} was not reported as applied")
    worse = bench.revision()
    half = await _applied(bench, worse, heartbeat_s=IMPOSSIBLE_S)
    if half is not None:
        why = f"revision {worse} asks for a heartbeat every {IMPOSSIBLE_S} s, and was reported as applied"
        return failed(why, half.number)
    return passed("a configuration that cannot be applied was not applied", status.number)


async def heartbeat(bench: Bench) -> Finding:
    """Ask for a heartbeat every few seconds, and count."""
    revision = bench.revision()
    if await _applied(bench, revision, heartbeat_s=BEAT_S) is None:
        return inconclusive(f"revision {revision} was not reported as applied")
    since = bench.mark()
    await bench.sleep(BEAT_S * BEATS + SLACK_S)
    beats = [seen.number for seen in bench.seen(since, branch="event") if seen.word == "heartbeat"]
    beats += [seen.number for seen in bench.seen(since, branch="telemetry") if b"heartbeat" in seen.payload]
    if BEATS - 1 <= len(beats) <= BEATS + 1:
        return passed(f"{len(beats)} heartbeats in {BEAT_S * BEATS} s", *beats)
    return failed(
        f"{len(beats)} heartbeats in {BEAT_S * BEATS} s, asked for was one every {BEAT_S} s", *beats
    )


_CONFIG = frozenset({"config"})
CASES: Sequence[Case] = (
    Case(
        id="TC-CFG-01",
        clauses=("VDI-CFG-01",),
        en="The status tells the configuration's revision",
        sv="Statusen anger konfigurationens version",
        drive=Drive.PROBE,
        run=told,
        needs=_CONFIG,
    ),
    Case(
        id="TC-NEW-01",
        clauses=("VDI-EVT-10",),
        en="A field that the device does not know does not keep it from the rest",
        sv="Ett fält som enheten inte känner hindrar den inte från resten",
        drive=Drive.PROBE,
        run=ignores_unknown_fields,
        needs=_CONFIG,
    ),
    Case(
        id="TC-CFG-02",
        clauses=("VDI-CFG-02",),
        en="A configuration that cannot be applied is not applied at all",
        sv="En konfiguration som inte kan användas används inte alls",
        drive=Drive.PROBE,
        run=whole_or_not,
        needs=_CONFIG,
    ),
    Case(
        id="TC-CFG-03",
        clauses=("VDI-CFG-03",),
        en="The heartbeat comes as often as was asked",
        sv="Livstecknet kommer så ofta som begärts",
        drive=Drive.PROBE,
        run=heartbeat,
        needs=frozenset({"config:heartbeat_s", "event:heartbeat"}),
    ),
)
"""Each is not applicable to a device that takes no configuration."""
