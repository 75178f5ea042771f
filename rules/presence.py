"""Presence: whether a device is there: by its own word, or by its silence."""

from datetime import datetime, timedelta

from gateway.contract import Situation
from gateway.model.vocabulary import DeviceKind

BEATS = 3
"""Heartbeats that may be missing (alert rules, section 5.6, S1)."""
SILENCE_OF_KIND = {
    DeviceKind.GPS_ALARM: timedelta(minutes=15),
    DeviceKind.GPS_TRACKER: timedelta(minutes=15),
    DeviceKind.LOCK: timedelta(hours=26),
    DeviceKind.DISPENSER: timedelta(minutes=10),
}
"""Silence allowed where the enrolment names no heartbeat (alert rules, section 5.6, S1)."""


def silence_allowed(at: Situation) -> timedelta | None:
    """Return how long the device may be silent, None when it is not supervised."""
    if not at.enrolment.supervised:
        return None
    if at.enrolment.heartbeat_s is not None:
        return timedelta(seconds=BEATS * at.enrolment.heartbeat_s)
    return SILENCE_OF_KIND.get(at.device.kind)


def heard_at(at: Situation) -> datetime:
    """Return when the device was heard last, counted from its enrolment, and from its bridge's return."""
    heard = [at.enrolment.since]
    status = at.status()
    if status.last_seen_at is not None:
        heard.append(status.last_seen_at)
    if at.device.via is not None:
        bridge = at.status(at.device.via)
        heard += [bridge.since["link"]] if "link" in bridge.since and not bridge.offline else []
    return max(heard)


def gone_since(at: Situation) -> datetime | None:
    """Return since when the device is offline by its own word or silent too long; None when it is there."""
    status = at.status()
    if status.offline:
        return status.since.get("link", at.now)
    heard, allowed = heard_at(at), silence_allowed(at)
    return heard if allowed is not None and at.now - heard >= allowed else None
