"""Rejection: what an enrolled device sent and nobody can read is told, by what it may have been."""

from msgspec.structs import replace

from gateway.contract import Raise
from gateway.model.alert import AlertType, Severity
from gateway.model.frame import Frame
from gateway.model.registry import Device
from gateway.pipeline import episode
from gateway.pipeline.cause import Cause
from gateway.pipeline.protection import may_call
from gateway.pipeline.situation import view
from gateway.pipeline.state import State

REJECTED_MESSAGE = Raise(
    severity=Severity.LOW,
    type=AlertType.TECHNICAL,
    text="rejected_message",
    reason="a message was rejected",
    accept_within_s=4 * 3600,
)
"""For technicians, in the low class of the alert rules, section 5.0."""
REJECTED_CALL = Raise(
    severity=Severity.MEDIUM,
    type=AlertType.PERSON,
    text="rejected_call",
    reason="a message was rejected, and may have been a call for help",
    accept_within_s=10 * 60,
)
"""For care staff, in the medium class: nobody can know that it was no call for help."""
REJECTIONS = frozenset({REJECTED_MESSAGE.text, REJECTED_CALL.text})
"""The rules of the alerts that are made here; each is named as its text."""


def judge_rejection(state: State, device: Device, frame: Frame, reason: str, clause: str) -> None:
    """Tell that a device sent what could not be read; counted, one open alert a device."""
    at = view(state, device.id)
    if at is None:
        return
    found = REJECTED_CALL if may_call(device, at.enrolment.role) else REJECTED_MESSAGE
    told = replace(found, reason=f"{found.reason}: {reason}", values={"clause": clause})
    episode.put(state, found.text, at, Cause.of_frame(frame, state.now), told)
