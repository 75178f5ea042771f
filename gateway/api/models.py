"""The shapes of the JSON API, version 1."""

from datetime import datetime
from typing import Any, Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.model.alert import Alert, AlertEntry, AlertState, AlertType, Outcome, Phase, Route, Severity
from gateway.model.commissioning import Standing
from gateway.model.delivery import DeliveryState
from gateway.model.event import Event
from gateway.model.trace import Verdict
from gateway.model.vocabulary import ClockQuality, DeviceKind

Scalar = str | int | float | bool


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True)


class AlertView(_View):
    """One alert as it stands."""

    id: str = Field(description="Opaque identity.")
    rule: str = Field(description="The rule that raised it.")
    severity: Severity
    type: AlertType = Field(description="IHE ACM: SP about the person, ST technical, SA advice.")
    text: str = Field(description="Key of the sentence staff read.")
    values: dict[str, Scalar] = Field(description="What the sentence says: presses, minutes, dose.")
    reason: str = Field(description="Why the rule raised it.")
    tenant: str
    home: str = Field(description="Opaque reference of the home.")
    person: str | None = Field(description="Opaque reference of the person.")
    device: str | None
    frame: int = Field(description="Journal position it came from: the trace id.")
    occurred_at: datetime
    raised_at: datetime
    late_s: float = Field(description="How old the cause was when the gateway heard of it, seconds.")
    state: AlertState
    active: bool = Field(description="Whether the cause is still there; an end of it closes nothing.")
    latched: bool
    count: int = Field(description="How often it was raised while open (presses).")
    ladder: str
    step: int = Field(description="Place on the ladder, 0 for the first.")
    deadline: datetime | None = Field(description="When silence becomes the next step; null when closed.")
    assignee: str | None
    outcome: Outcome | None
    incident: str = Field(description='The open alert that speaks for this one too, "" for none.')
    version: int = Field(description="Grows with every change.")
    route: Route = Field(description="The kind of people it is for.")
    asked: tuple[str, ...] = Field(description="Who was asked on this step: teams, or staff by reference.")
    eta: datetime | None = Field(description="When who accepted it wants to be there.")
    shelved_until: datetime | None = Field(description="When a shelved alert is offered again.")
    suppressed_by: str = Field(description="The alert that speaks for it while it is suppressed.")

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """Return the view of an alert."""
        return cls.model_validate(alert)


class EntryView(_View):
    """One line of an alert's history."""

    version: int
    at: datetime
    action: str = Field(examples=["accepted"])
    actor: str
    frame: int
    detail: str
    phase: Phase = Field(description="What it is in IHE ACM (PCD-04).")
    severity: Severity | None = Field(description="How severe the alert was then.")

    @classmethod
    def of(cls, entry: AlertEntry) -> Self:
        """Return the view of a line of history."""
        return cls.model_validate(entry)


class DeliveryView(_View):
    """One attempt to reach a recipient, with the proof of how far it got."""

    id: str
    recipient: str
    channel: str
    step: int
    round: int
    queued_at: datetime
    deadline: datetime
    state: DeliveryState
    reason: str


class EventView(_View):
    """One believed fact about an enrolled device."""

    id: str
    type: str
    device: str
    kind: DeviceKind
    home: str
    person: str | None
    occurred_at: datetime
    received_at: datetime
    processed_at: datetime
    clock: ClockQuality
    late_s: float
    frame: int
    sequence: int | None
    values: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> Self:
        """Return the view of an event, its typed values as a plain object."""
        return cls.model_validate(msgspec.to_builtins(event))


class AlertList(_View):
    """Alerts, most severe first (closed ones newest first), as of a journal position."""

    cursor: int = Field(description="The last journal position that the list takes into account.")
    alerts: list[AlertView]


class AlertDetail(_View):
    """One alert with its course of events, a part at a time."""

    alert: AlertView
    history: list[EntryView] = Field(description="Oldest first.")
    earlier: int = Field(description="How many entries of history stand before these.")
    later: int = Field(description="How many stand after these: ask again with `after` = the last version.")
    deliveries: list[DeliveryView] = Field(description="The newest ones, oldest first.")
    events: list[EventView] = Field(description="The events of the frame that raised it.")


class AnswerBody(BaseModel):
    """What may be said with an answer."""

    model_config = ConfigDict(extra="forbid")
    note: str = Field("", max_length=500, description="Never a name or a personal number.")


class AcceptBody(AnswerBody):
    """Accepting may say when one will be there; of a High alert that is watched."""

    eta_minutes: float | None = Field(None, ge=0, le=240)


class ReasonBody(BaseModel):
    """An answer that needs its reason."""

    model_config = ConfigDict(extra="forbid")
    note: str = Field(min_length=1, max_length=500, description="Never a name or a personal number.")


class HandOverBody(AnswerBody):
    """To which team of the same tenant it goes next."""

    to: str = Field(min_length=1, max_length=128)


class ShelveBody(ReasonBody):
    """How long nobody is asked: at most 2 h for Medium, 24 h for Low, 7 days for Low and technical."""

    minutes: float = Field(gt=0, le=7 * 24 * 60)


class SuppressBody(AnswerBody):
    """Which open alert speaks for this one."""

    by: str = Field(min_length=1, max_length=128)


class CloseBody(AnswerBody):
    """Closing needs the outcome, and for a High alert what was seen."""

    outcome: Outcome
    seen_count: int | None = Field(
        None, ge=1, strict=True, description="The alert's `count` as you saw it; a High alert needs it."
    )
    seen_severity: Severity | None = Field(
        None, description="The `severity` as you saw it; an alert that became more severe needs it."
    )


class DeviceView(_View):
    """An enrolled or registered device, and the latest word of it."""

    id: str
    tenant: str
    adapter: str
    native_id: str
    kind: DeviceKind
    model: str
    via: str | None
    home: str | None
    person: str | None
    role: str
    enrolled: bool
    supervised: bool
    heartbeat_s: float | None
    last_seen_at: datetime | None
    online: bool | None = Field(description="null when nothing was heard of it.")
    battery_percent: float | None
    check: Standing = Field(description="How its commissioning check stands.")
    slots: dict[str, str] = Field(description="Present event type of each state (link, lock, door, ...).")


class DiscoveredView(_View):
    """A device that spoke and is not enrolled."""

    adapter: str
    native_id: str
    kind: DeviceKind
    first_seen_at: datetime
    last_seen_at: datetime
    frames: int
    last_frame: int
    last_type: str
    ingress: str


class FrameView(_View):
    """The bytes as they arrived; `payload_hex` holds at most the first 4096 of `payload_bytes` bytes."""

    position: int
    transport: str
    channel: str
    ingress: str
    source: str
    retained: bool
    duplicate: bool
    fault: str
    received_at: datetime
    payload_bytes: int
    payload_hex: str


class RemarkView(_View):
    """One remark on one frame."""

    frame: int
    step: str
    verdict: Verdict
    reason: str
    clause: str
    device: str


class StepView(_View):
    """One of the eight steps, and whether the frame came through it."""

    number: int
    name: str = Field(examples=["decode"])
    state: Literal["passed", "stopped", "waiting", "none"]
    reason: str = ""
    clause: str = ""


class WalkView(_View):
    """Where one frame stopped, and why."""

    frame: FrameView
    steps: list[StepView]
    remarks: list[RemarkView]
    events: list[EventView]
    alerts: list[AlertView]


class QuarantinedView(_View):
    """A frame that could not be read, with the reason and the clause it broke."""

    frame: FrameView
    device: str
    reason: str
    clause: str


class SessionView(_View):
    """Who asks, and the token that changes from a browser must carry."""

    actor: str
    scopes: list[str]
    forgery_token: str


class HealthView(BaseModel):
    """The gateway's own word on itself: `status` to everybody, the rest to signed-in actors."""

    model_config = ConfigDict(extra="allow")
    status: str = Field(examples=["ok"])
