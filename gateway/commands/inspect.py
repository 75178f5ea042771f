"""`vaka trace` and `vaka journal export`: what a data directory remembers, also while the gateway runs."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.contract import ConfigurationError
from gateway.model.forwarded import hop_of
from gateway.model.frame import Frame
from gateway.stores.sqlite_journal import SqliteJournal
from gateway.stores.state_reader import StateReader

PAGE = 1000


def export_journal(data_dir: Path, after: int, until: int | None) -> Iterator[str]:
    """Yield one JSON line a frame, in order; payloads as text, or base64 where they are not UTF-8."""
    journal = SqliteJournal(_existing(data_dir / "state.db"))
    try:
        while frames := journal.read(after, PAGE):
            for frame in frames:
                if until is not None and frame.position > until:
                    return
                yield json.dumps(_record(frame), ensure_ascii=False)
            after = frames[-1].position
    finally:
        journal.close()


def trace_frame(data_dir: Path, position: int) -> Iterator[str]:
    """Yield where one frame went, step by step, and where it stopped and why."""
    journal = SqliteJournal(_existing(data_dir / "state.db"))
    store = StateReader(_existing(data_dir / "state.db"))
    try:
        found = journal.read(position - 1, 1)
        if not found or found[0].position != position:
            yield f"{position}: the journal has no such frame (last: {journal.last()})"
            return
        frame = found[0]
        size = len(frame.payload)
        yield f"1 transport  {frame.transport} {frame.channel!r} by {frame.ingress or '-'}, {size} bytes"
        yield from _hop(frame)
        yield f"2 journal    position {position}, received {frame.received_at.isoformat()}"
        yield from _walked(store, position)
    finally:
        store.close()
        journal.close()


def newest_remarks(data_dir: Path, limit: int) -> Iterator[str]:
    """Yield the newest remarks: why frames went no further."""
    store = StateReader(_existing(data_dir / "state.db"))
    try:
        for remark in store.traces(limit=limit):
            clause = f" [{remark.clause}]" if remark.clause else ""
            where = f"{remark.frame}  {remark.step}  {remark.verdict}  {remark.device or '-'}"
            yield f"{where}  {remark.reason}{clause}"
    finally:
        store.close()


def _hop(frame: Frame) -> Iterator[str]:
    """Say of a forwarded frame who heard it, when and by which of its ways."""
    if told := hop_of(frame):
        yield f"1 edge       {told}"


def _walked(store: StateReader, position: int) -> Iterator[str]:
    remarks = store.traces(frame=position)
    for remark in remarks:
        clause = f" [{remark.clause}]" if remark.clause else ""
        yield f"  {remark.step:10} {remark.verdict}: {remark.reason}{clause}"
    events = store.events(frame=position)
    for _, event in events:
        yield f"4 normalise  {event.type} of {event.device} in {event.home}, {event.late_s:.1f} s old"
    alerts = store.alerts_of_frame(position)
    for alert in alerts:
        yield f"5 decide     alert {alert.id}: {alert.severity} {alert.text}: {alert.reason}"
        for delivery in store.deliveries(alert.id):
            why = f" ({delivery.reason})" if delivery.reason else ""
            yield f"8 deliver    {delivery.recipient} by {delivery.channel}: {delivery.state}{why}"
    if events and not alerts:
        yield "5 decide     no rule had anything to raise"


def _record(frame: Frame) -> dict[str, Any]:
    record: dict[str, Any] = {
        "position": frame.position,
        "transport": frame.transport.value,
        "channel": frame.channel,
        "received_at": frame.received_at.isoformat(),
        "ingress": frame.ingress,
        "source": frame.source,
    }
    record |= {name: True for name in ("retained", "duplicate") if getattr(frame, name)}
    if frame.fault:
        record["fault"] = frame.fault
    try:
        record["payload"] = frame.payload.decode()
    except UnicodeDecodeError:
        record["payload_b64"] = base64.b64encode(frame.payload).decode()
    return record


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ConfigurationError(
            f"{path}: there is no such file; name the data directory with --data or the configuration"
        )
    return path
