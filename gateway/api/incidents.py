"""What an incident speaks for: how many, from what, and who is without protection meanwhile."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.access import AlertReader, Ctx
from gateway.api.answers import AUDIT, find_alert
from gateway.api.errors import problems
from gateway.api.models import AlertView
from gateway.model.alert import Alert
from gateway.pipeline.protection import cause_of, unprotected
from gateway.service.board import Board

ROUTER = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])
SHOWN = 200
TOP = 10


class CauseCount(BaseModel):
    """How many alerts most likely come from one thing."""

    model_config = ConfigDict(frozen=True)
    cause: str = Field(examples=["bridge gate-3", "rule late_event"])
    count: int


class IncidentView(BaseModel):
    """What stands behind an incident now; `count` on the alert itself is what it ever gathered."""

    model_config = ConfigDict(frozen=True)
    hidden: int = Field(description="Open alerts that are not offered by themselves.")
    causes: list[CauseCount] = Field(description="The most frequent ones, most first.")
    unprotected: list[str] = Field(description="Persons without SOS, dose or position meanwhile: references.")
    alerts: list[AlertView] = Field(description="The first of them, most severe first.")


def is_hidden(board: Board, alert: Alert) -> bool:
    """Tell whether an open incident speaks for the alert, so that lists leave it out."""
    return bool(alert.incident) and board.alert(alert.incident) is not None


def incident_of(board: Board, incident: Alert, limit: int) -> IncidentView:
    """Return what an incident speaks for, and at most `limit` of the alerts themselves."""
    found = [alert for alert in board.open_alerts() if alert.incident == incident.id]
    causes = Counter(cause_of(board.registry, alert) for alert in found).most_common(TOP)
    return IncidentView(
        hidden=len(found),
        causes=[CauseCount(cause=name, count=n) for name, n in causes],
        unprotected=unprotected(board.registry, found),
        alerts=[AlertView.of(alert) for alert in found[:limit]],
    )


@ROUTER.get(
    "/{alert_id}/incident", summary="What an incident speaks for", responses=problems(401, 403, 404, 503)
)
async def read_incident(
    ctx: Ctx, actor: AlertReader, alert_id: str, limit: Annotated[int, Query(ge=0, le=10_000)] = SHOWN
) -> IncidentView:
    """Return the alerts an incident speaks for, their causes, and who is unprotected. It is audited."""
    incident = await find_alert(ctx, actor, alert_id)
    AUDIT.info("opened actor=%s incident=%s", actor.name, incident.id)
    return incident_of(ctx.board, incident, limit)
