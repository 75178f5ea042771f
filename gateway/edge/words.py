"""Words: what the edge says of itself at the standard interface: will, status, heartbeat, faults."""

from datetime import datetime
from importlib.metadata import version

import msgspec

from gateway.model.vocabulary import Details, HealthValues
from gateway.model.wire import WireClock

FIRMWARE = f"vaka {version('vaka')}"
LOST = msgspec.json.encode({"state": "offline", "reason": "connection_lost"})
"""The last will: written when the edge connects, so that it can have no time."""
STOPPED = "stopped"


def topic(native_id: str, branch: str) -> str:
    """Return a topic of the edge's own branch."""
    return f"vaka/1/{native_id}/{branch}"


def clockquality(*, synced: bool) -> WireClock:
    """Return how far the edge's times can be believed, as on the wire."""
    return "synced" if synced else "unsynced"


def status(at: datetime, *, synced: bool, revision: int | None, stopped: bool = False) -> bytes:
    """Return the retained status."""
    said: dict[str, object] = {
        "state": "offline" if stopped else "online",
        "time": at,
        "clockquality": clockquality(synced=synced),
        "firmware": FIRMWARE,
    }
    if revision is not None:
        said["config_revision"] = revision
    if stopped:
        said["reason"] = STOPPED
    return msgspec.json.encode(said)


def heartbeat(at: datetime, values: HealthValues, *, synced: bool) -> bytes:
    """Return a telemetry batch with one heartbeat."""
    reading = {
        "type": "vaka.heartbeat.v1",
        "time": at,
        "clockquality": clockquality(synced=synced),
        "data": values,
    }
    return msgspec.json.encode({"readings": [reading]})


def fault(at: datetime, code: str, details: Details, *, synced: bool) -> bytes:
    """Return the event that tells the centre what went wrong at the edge."""
    event = {
        "specversion": "1.0",
        "id": f"{code}-{at.timestamp():.6f}",
        "type": "vaka.device.fault.v1",
        "time": at,
        "clockquality": clockquality(synced=synced),
        "data": HealthValues(code=code, details=details),
    }
    return msgspec.json.encode(event)
