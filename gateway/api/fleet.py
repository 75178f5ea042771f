"""Fleet health: the JSON API and the page, which filter and sort alike."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from gateway.api.access import Ctx, DeviceReader
from gateway.api.context import Context
from gateway.api.errors import NotFoundError, problems
from gateway.api.view import Drawing
from gateway.model.commissioning import Standing
from gateway.model.registry import Device
from gateway.model.synthetic import SYNTHETIC
from gateway.model.vocabulary import DeviceKind
from gateway.onboarding.fleet import Grade, Health, Known, Product, health, products

ROUTER = APIRouter()
API = "/api/v1"
_ERRORS = problems(401, 403, 503)
SHOWN = 500
"""Devices that the page shows at once; more are found by the filter."""
Sort = Literal["grade", "device", "last_heard", "battery", "battery_days", "silence", "rejected"]
SORTS: tuple[Sort, ...] = ("grade", "device", "last_heard", "battery", "battery_days", "silence", "rejected")


class ForecastView(BaseModel):
    """When a charge will be critical, days from now, with its 95 % interval; unknown with the reason."""

    known: bool
    reason: str = Field(description="few or short: too few charges, or over too short a time.")
    percent_per_day: float | None
    days: float | None = Field(description="null when it does not fall.")
    earliest_days: float | None
    latest_days: float | None = Field(description="null when it may well not fall.")
    charges: int


class HealthView(BaseModel):
    """How well a device does, with the reasons of its grade."""

    device: str
    kind: DeviceKind
    adapter: str
    model: str
    enrolled: bool
    online: bool | None = Field(description="null while it was never heard.")
    last_seen_at: datetime | None
    battery_percent: float | None
    battery: ForecastView
    firmware: str
    link_quality: float | None
    silence_share: float | None = Field(
        description="Part of its time silent past its promise; null: unknown."
    )
    late: int
    rejected: int
    drifts: bool
    grade: Grade
    reasons: list[str]

    @classmethod
    def of(cls, one: Health) -> Self:
        """Return the view of a device's health."""
        return cls.model_validate(
            {**msgspec.structs.asdict(one), "battery": msgspec.to_builtins(one.battery)}
        )


class ProductView(BaseModel):
    """The devices of one adapter and model together."""

    adapter: str
    model: str
    devices: int
    grades: dict[str, int]
    battery_percent: float | None
    silence_share: float | None
    late: int
    rejected: int
    firmware: list[str]


class Filter(BaseModel):
    """What is looked for, and in which order it is shown."""

    find: str = Field("", max_length=128)
    kind: DeviceKind | Literal[""] = ""
    adapter: str = Field("", max_length=128)
    grade: Grade | Literal[""] = ""
    sort: Sort = "grade"


def health_of(ctx: Context, device: Device) -> Health:
    """Return the health of one device as of now."""
    board, now = ctx.board, ctx.clock.now()
    charges = board.equipment.charges.get(device.id, ())
    known = Known(
        device=device,
        enrolment=board.registry.enrolments.get(device.id),
        status=board.statuses.get(device.id),
        twin=board.equipment.twins.get(device.id),
        manifest=ctx.walk.manifests.get(device.adapter) if ctx.walk else None,
        forecast=ctx.forecasts.of(device.id, charges, now),
    )
    return health(known, now)


def fleet_of(ctx: Context, wanted: Filter) -> list[Health]:
    """Return the health of the devices that are looked for, sorted."""
    found = [
        health_of(ctx, device)
        for device in ctx.board.registry.devices.values()
        if device.tenant != SYNTHETIC
        and wanted.find in f"{device.id} {device.model}"
        and wanted.kind in ("", device.kind)
        and wanted.adapter in ("", device.adapter)
    ]
    kept = [one for one in found if wanted.grade in ("", one.grade)]
    return sorted(kept, key=lambda one: (*_place(one, wanted.sort), one.device))


def _standing(ctx: Context, name: str) -> Standing:
    device = ctx.board.registry.devices[name]
    return ctx.board.checks.of(name).standing(device.adapter, device.native_id)


def _place(one: Health, sort: Sort) -> tuple[Any, ...]:
    """Return a device's place in an order: what needs a hand first, what is unknown last."""
    days = one.battery.days if one.battery.known else None
    unknown = one.last_seen_at is None
    places: dict[str, tuple[Any, ...]] = {
        "device": (),
        "last_heard": (unknown, one.last_seen_at.timestamp() if one.last_seen_at else 0),
        "battery": (one.battery_percent is None, one.battery_percent or 0),
        "battery_days": (days is None, days or 0),
        "silence": (one.silence_share is None, -(one.silence_share or 0)),
        "rejected": (-one.rejected, -one.late),
    }
    return places.get(sort, (one.grade.rank,))


@ROUTER.get(f"{API}/fleet", tags=["devices"], summary="Fleet health", responses=_ERRORS)
async def list_fleet(
    ctx: Ctx,
    _: DeviceReader,
    wanted: Annotated[Filter, Query()],
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> list[HealthView]:
    """List how well each device does, by default the worst first."""
    return [HealthView.of(one) for one in fleet_of(ctx, wanted)[:limit]]


@ROUTER.get(f"{API}/fleet/products", tags=["devices"], summary="Health by product", responses=_ERRORS)
async def list_products(ctx: Ctx, _: DeviceReader) -> list[ProductView]:
    """List how the devices of each product do together."""
    found = products(fleet_of(ctx, Filter.model_construct()))
    return [ProductView.model_validate(msgspec.structs.asdict(one)) for one in found]


@ROUTER.get(f"{API}/fleet/{{device:path}}", tags=["devices"], summary="Health of a device", responses=_ERRORS)
async def one_of_fleet(ctx: Ctx, _: DeviceReader, device: str) -> HealthView:
    """Return how well one device does."""
    found = ctx.board.device(device)
    if found is None:
        raise NotFoundError(f"device {device}")
    return HealthView.of(health_of(ctx, found))


@ROUTER.get("/fleet", include_in_schema=False)
async def fleet_page(
    request: Request,
    ctx: Ctx,
    _: DeviceReader,
    wanted: Annotated[Filter, Query()],
) -> HTMLResponse:
    """Show how well each device and each product does."""
    drawing: Drawing = request.app.state.drawing
    found = fleet_of(ctx, wanted)
    together: list[Product] = products(found)
    values = {
        "wanted": wanted,
        "devices": found[:SHOWN],
        "all_devices": len(found),
        "products": together,
        "grades": list(Grade),
        "kinds": sorted({one.kind.value for one in ctx.board.registry.devices.values()}),
        "adapters": sorted(ctx.board.registry.adapters()),
        "sorts": SORTS,
        "standings": {one.device: _standing(ctx, one.device) for one in found[:SHOWN]},
    }
    return drawing.page(request, "fleet.html", values)
