"""Presence: whether a device is there: by its own word, or by its silence."""

from datetime import datetime, timedelta

from gateway.contract import Situation
from gateway.model.vocabulary import DeviceKind

BEATS = 3
"""Heartbeats that may be missing (alert rules, section 5.6, S1)."""
DAILY = timedelta(hours=26)
"""For what runs on a battery and reports about once a day: S1's figure for a lock."""
SILENCE_OF_KIND = {
    DeviceKind.LOCK: DAILY,
    DeviceKind.GPS_ALARM: timedelta(minutes=15),
    DeviceKind.GPS_TRACKER: timedelta(minutes=15),
    DeviceKind.DISPENSER: timedelta(minutes=10),
    DeviceKind.CAMERA: timedelta(minutes=15),
    DeviceKind.SOCIAL_ALARM: timedelta(minutes=15),
    DeviceKind.DOOR_CONTACT: DAILY,
    DeviceKind.MOTION_SENSOR: DAILY,
    DeviceKind.BED_SENSOR: DAILY,
    DeviceKind.FALL_DETECTOR: DAILY,
    DeviceKind.SMOKE_DETECTOR: DAILY,
    DeviceKind.LEAK_DETECTOR: DAILY,
    DeviceKind.ENURESIS_DETECTOR: DAILY,
    DeviceKind.BUTTON: DAILY,
    DeviceKind.GATEWAY: DAILY,
    DeviceKind.UNKNOWN: DAILY,
}
"""Silence allowed where the enrolment names no heartbeat: no kind is without one.

GPS, lock and dispenser as in the alert rules, section 5.6, S1. A social alarm as a GPS alarm: digital
ones are supervised by the minute (section 1). A camera is mains-fed and looked through at planned
times, so it is known in time for the next (C5). A bridge may speak at its start alone, and has a last will.
"""


def silence_allowed(at: Situation) -> timedelta | None:
    """Return how long the device may be silent, None when it is not supervised."""
    if not at.enrolment.supervised:
        return None
    if at.enrolment.heartbeat_s is not None:
        return timedelta(seconds=BEATS * at.enrolment.heartbeat_s)
    return SILENCE_OF_KIND[at.device.kind]


def last_heard(at: Situation) -> datetime:
    """Return when the device was heard last, or its enrolment: what is true to tell people."""
    seen = at.status().last_seen_at
    return at.enrolment.since if seen is None else max(seen, at.enrolment.since)


def heard_at(at: Situation) -> datetime:
    """Return from when its silence counts.

    From when it was heard last or was enrolled, and not before it could be heard: its bridge was back,
    and so was the gateway itself.
    """
    heard = [last_heard(at)]
    if at.listening_since is not None:
        heard.append(at.listening_since)
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
