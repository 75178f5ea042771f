"""Trace: where a frame stopped, at which step, against which clause, in words an engineer can act on."""

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """Why a frame went no further."""

    QUARANTINED = "quarantined"
    IGNORED = "ignored"
    UNKNOWN_DEVICE = "unknown_device"
    DUPLICATE = "duplicate"
    NOT_NEWS = "not_news"
    REFUSED = "refused"
    JUDGED = "judged"


class Trace(msgspec.Struct, frozen=True, omit_defaults=True):
    """One remark on one frame; an event that no rule had anything to say about leaves none."""

    frame: int
    step: str
    verdict: Verdict
    reason: str
    clause: str = ""
    device: str = ""
