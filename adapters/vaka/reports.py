"""Reports: the status, telemetry, result and link branches, which carry levels and measurements."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from adapters.vaka.faults import ENVELOPE_CLAUSES, DecodeFault, undecodable
from adapters.vaka.wire import CLOCK, moment
from adapters.vaka.words import WORDS
from gateway.contract import Undecodable
from gateway.model.reading import CommandResult, Ignored, Reading
from gateway.model.vocabulary import (
    ClockQuality,
    DeviceKind,
    HealthValues,
    Percent,
    Reference,
    battery_word,
)
from gateway.model.wire import MEASUREMENTS, Batch, Measurement, Result, Status

_STATUS_CLAUSES = {"state": "VDI-STA-01", "time": "VDI-EVT-06", "clockquality": "VDI-EVT-09"}


_decode_status = msgspec.json.Decoder(Status).decode
_decode_batch = msgspec.json.Decoder(Batch).decode
_decode_result = msgspec.json.Decoder(Result).decode


def status(payload: bytes, native_id: str) -> Sequence[Reading | Ignored]:
    """Read the status: the connection and the charge, both as levels."""
    if not payload:
        return (Ignored(native_id, "the retained status was cleared"),)
    try:
        payload.decode()
        said = _decode_status(payload)
    except DecodeFault as error:
        raise undecodable(
            error, native_id, clause="VDI-STA-02", clauses=_STATUS_CLAUSES, payload=payload
        ) from None
    values = HealthValues(
        battery_percent=said.battery,
        firmware=said.firmware,
        config_revision=said.config_revision,
        code=said.reason,
    )
    readings = [_level(native_id, f"device.{said.state}", values, said)]
    if said.battery is not None:
        charge = HealthValues(battery_percent=said.battery)
        readings.append(_level(native_id, battery_word(said.battery), charge, said))
    return readings


def _level(native_id: str, word: str, values: HealthValues, said: Status) -> Reading:
    at = moment(said.time, native_id, "$.time") if said.time is not None else None
    return Reading(
        native_id=native_id,
        kind=DeviceKind.UNKNOWN,
        type=word,
        values=values,
        occurred_at=at,
        clock=CLOCK[said.clockquality] if at is not None else ClockQuality.NONE,
        happened=False,
    )


class Link(msgspec.Struct, frozen=True, gc=False):
    """What the gateway itself read of a device on Bluetooth: its signal, its charge, who made it."""

    rssi_dbm: Annotated[int, msgspec.Meta(ge=-128, le=127)] | None = None
    battery_percent: Percent | None = None
    firmware: Reference | None = None
    manufacturer: Reference | None = None
    model: Reference | None = None


_decode_link = msgspec.json.Decoder(Link).decode


def link(payload: bytes, native_id: str) -> Sequence[Reading | Ignored]:
    """Read how a device is connected: by Bluetooth, how strongly, and what its standard services say."""
    try:
        said = _decode_link(payload)
    except DecodeFault as error:
        raise undecodable(error, native_id, clause="VDI-BLE-04", payload=payload) from None
    made = {"manufacturer": said.manufacturer, "model": said.model}
    values = HealthValues(
        link="ble",
        link_quality=said.rssi_dbm,
        battery_percent=said.battery_percent,
        firmware=said.firmware,
        details={name: told for name, told in made.items() if told},
    )
    return (
        Reading(
            native_id=native_id,
            kind=DeviceKind.UNKNOWN,
            type="link.changed",
            values=values,
            happened=False,
        ),
    )


def telemetry(payload: bytes, native_id: str) -> Sequence[Reading | Ignored]:
    """Read a batch; one wrong reading refuses the whole batch, so that none is lost unseen."""
    try:
        payload.decode()
        batch = _decode_batch(payload)
    except DecodeFault as error:
        raise undecodable(
            error, native_id, clause="VDI-TEL-01", clauses=ENVELOPE_CLAUSES, payload=payload
        ) from None
    return [_measured(native_id, place, item) for place, item in enumerate(batch.readings)]


def _measured(native_id: str, place: int, item: Measurement) -> Reading:
    root = f"$.readings[{place}]"
    word = WORDS.get(item.type)
    if word is None:
        reason = f"`{root}.type`: unknown type {item.type[:80]!r}"
        raise Undecodable(reason, clause=ENVELOPE_CLAUSES["type"], native_id=native_id)
    if word.name not in MEASUREMENTS:
        reason = f"`{root}.type`: {word.name} is no measurement, send it as an event"
        raise Undecodable(reason, clause="VDI-TEL-02", native_id=native_id)
    try:
        values = word.decode(item.data)
    except DecodeFault as error:
        raise undecodable(error, native_id, clause="VDI-EVT-07", root=f"{root}.data") from None
    at = moment(item.time, native_id, f"{root}.time")
    return Reading(
        native_id=native_id,
        kind=word.kind,
        type=word.name,
        values=values,
        occurred_at=at,
        clock=CLOCK[item.clockquality],
        key=item.id or at.isoformat(),
        sequence=item.sequence,
        happened=not word.name.startswith("battery."),
    )


def result(payload: bytes, native_id: str) -> Sequence[CommandResult]:
    """Read the outcome of a command; the gateway matches it with the command by its id."""
    try:
        payload.decode()
        said = _decode_result(payload)
    except DecodeFault as error:
        raise undecodable(error, native_id, clause="VDI-RES-01", payload=payload) from None
    return (
        CommandResult(
            native_id=native_id,
            reason=f"result of a command: {said.outcome}",
            id=said.id,
            outcome=said.outcome,
            told=said.reason or "",
        ),
    )
