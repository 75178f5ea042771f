"""Frames: the lines of a recording made into the inputs that they tell of, as a gateway had them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.model.frame import Frame, Transport
from gateway.model.reading import Reading
from gateway.model.vocabulary import VOCABULARY
from gateway.pipeline.decode import Decoded
from gateway.recording.form import AnswerLine, DeviceLine, PeopleLine, RegistryLine, Said, TickLine, WatchLine

RECORDING = "recording"
"""The way in of everything that comes from a recording."""
NOTE = "-"
"""Stands for a note that was left out: some answers are refused without one."""
Numbers = Mapping[str, Mapping[str, float]]
"""Other numbers by rule and name."""
_VALUES = {name: msgspec.json.Decoder(word.values).decode for name, word in VOCABULARY.items()}


def of_device(line: DeviceLine) -> tuple[Frame, Decoded]:
    """Return a device's frame and what its adapter made of it; its digest stands for its payload."""
    frame = Frame(
        line.transport,
        "",
        line.digest.encode(),
        line.at,
        ingress=RECORDING,
        source=line.source,
        retained=line.retained,
        duplicate=line.duplicate,
        position=line.n,
        heard_by=line.heard_by,
        heard_at=line.heard_at,
        heard_synced=line.heard_synced,
    )
    if line.rejected:
        failure = f"rejected by {line.rejected}"
        return frame, Decoded(line.adapter, (), failure, line.rejected, line.device)
    return frame, Decoded(line.adapter, [_reading(said) for said in line.said])


def of_tick(line: TickLine) -> Frame:
    """Return a tick of the recording."""
    return Frame(Transport.CLOCK, "start" if line.start else "tick", b"", line.at, position=line.n)


def of_people(line: PeopleLine) -> Frame:
    """Return a plan, a context or who can be reached."""
    body = bytes(line.body)
    return Frame(line.transport, line.channel, body, line.at, ingress=RECORDING, position=line.n)


def of_watch(line: WatchLine) -> Frame:
    """Return what the gateway found wrong with itself."""
    return Frame(Transport.WATCH, "", bytes(line.body), line.at, ingress=RECORDING, position=line.n)


def of_registry(line: RegistryLine, numbers: Numbers) -> Frame:
    """Return a registry, with other numbers for every tenant where that is asked."""
    payload = bytes(line.document)
    if numbers:
        document: dict[str, Any] = msgspec.json.decode(payload)
        document["override"] = _overridden(document, numbers)
        payload = msgspec.json.encode(document)
    return Frame(Transport.REGISTRY, "registry", payload, line.at, ingress=RECORDING, position=line.n)


def words_of(line: AnswerLine, by: str) -> dict[str, Any]:
    """Return what a recorded answer says; `by` is the alert that speaks for the one answered."""
    return {
        "actor": line.actor,
        "outcome": line.outcome or None,
        "note": NOTE if line.noted else "",
        "seen": line.seen,
        "seen_severity": line.seen_severity or None,
        "eta_s": line.eta_s,
        "to": line.to,
        "for_s": line.for_s,
        "by": by,
    }


def _reading(said: Said) -> Reading:
    return Reading(
        native_id=said.device,
        kind=said.kind,
        type=said.type,
        values=_VALUES[said.type](said.values),
        occurred_at=said.at,
        clock=said.clock,
        key=said.key,
        happened=said.happened,
        packet=said.packet,
    )


def _overridden(document: Mapping[str, Any], numbers: Numbers) -> list[dict[str, Any]]:
    """Return the registry's own numbers with others for whole tenants; nearer ones go on to hold."""
    rows = list(document.get("override", ()))
    for tenant in document["tenant"]:
        for rule, own in numbers.items():
            theirs = [row for row in rows if (row["rule"], row.get("tenant")) == (rule, tenant["id"])]
            rows = [row for row in rows if row not in theirs]
            before = theirs[0]["numbers"] if theirs else {}
            rows.append({"rule": rule, "tenant": tenant["id"], "numbers": {**before, **own}})
    return rows
