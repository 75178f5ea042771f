"""Health: what a device's messages tell of the device itself: silence, radio, firmware, charge, revision."""

from datetime import datetime, timedelta

from gateway.model.frame import Frame
from gateway.model.reading import Reading
from gateway.model.registry import Enrolment
from gateway.model.status import DeviceStatus
from gateway.model.vocabulary import HealthValues
from gateway.pipeline.state import State, Watched
from gateway.pipeline.twin import reported

LATE_AFTER = timedelta(minutes=5)
"""An event that is told so long after it happened has come late."""
GRACE = 1.5
"""Of its promised interval a device may be silent for so many times: one lost message is no silence."""


def hear(status: DeviceStatus, frame: Frame, enrolment: Enrolment) -> None:
    """Note that the device was heard, and by which way in."""
    spoke(status, frame.heard, enrolment)
    status.ingress = frame.ingress


def spoke(status: DeviceStatus, heard: datetime, enrolment: Enrolment) -> None:
    """Note when a device was heard, and how long it had been silent past what it promised."""
    before = status.last_seen_at
    if before is None or status.watched_since is None:
        status.watched_since = status.watched_since or heard
    elif enrolment.heartbeat_s is not None:
        silent_s = (heard - before).total_seconds() - GRACE * enrolment.heartbeat_s
        status.silent_s += max(0.0, silent_s)
    status.last_seen_at = heard if before is None else max(before, heard)


def note(state: State, watched: Watched, reading: Reading, frame: Frame) -> None:
    """Note radio quality, charge, firmware and the revision that the device says it has."""
    status, values = watched.status, reading.values
    if values.link_quality is not None:
        status.link_quality = values.link_quality
    if values.battery_percent is not None and not frame.retained:
        state.equipment.charged(status.device, frame.received_at, values.battery_percent)
    if isinstance(values, HealthValues):
        status.firmware = values.firmware or status.firmware
        if values.config_revision is not None:
            reported(state, frame, status.device, values.config_revision)


def late(said_at: datetime, frame: Frame) -> bool:
    """Tell whether an event came late, for the count of its device."""
    return frame.received_at - said_at > LATE_AFTER
