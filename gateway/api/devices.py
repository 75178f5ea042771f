"""The JSON API for devices: enrolled ones with their latest word, and those that only were discovered."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from gateway.api.access import Ctx, DeviceReader
from gateway.api.errors import problems
from gateway.api.models import DeviceView, DiscoveredView, EventView
from gateway.model.registry import Device
from gateway.service.board import Board

ROUTER = APIRouter(prefix="/api/v1", tags=["devices"])
_ERRORS = problems(401, 403, 503)


def device_view(board: Board, device: Device) -> DeviceView:
    """Return a registered device with its enrolment and its latest word."""
    enrolment = board.registry.enrolments.get(device.id)
    status = board.statuses.get(device.id)
    return DeviceView(
        id=device.id,
        tenant=device.tenant,
        adapter=device.adapter,
        native_id=device.native_id,
        kind=device.kind,
        model=device.model,
        via=device.via,
        home=enrolment.home if enrolment else None,
        person=enrolment.person if enrolment else None,
        role=enrolment.role if enrolment else "",
        enrolled=enrolment is not None,
        supervised=enrolment is not None and enrolment.supervised,
        heartbeat_s=enrolment.heartbeat_s if enrolment else None,
        last_seen_at=status.last_seen_at if status else None,
        online=not status.offline if status and (status.last_seen_at or status.offline) else None,
        battery_percent=status.battery_percent if status else None,
        check=board.checks.of(device.id).standing(device.adapter, device.native_id),
        slots=dict(status.slots) if status else {},
    )


def devices_of(board: Board) -> list[DeviceView]:
    """Return every registered device, by identity."""
    return [device_view(board, board.registry.devices[key]) for key in sorted(board.registry.devices)]


def discovered_of(board: Board) -> list[DiscoveredView]:
    """Return the devices that spoke and are not enrolled, the one heard last first."""
    found = [
        DiscoveredView.model_validate(one)
        for one in board.discovered.values()
        if (known := board.registry.device_named(one.adapter, one.native_id)) is None
        or known.id not in board.registry.enrolments
    ]
    return sorted(found, key=lambda one: one.last_seen_at, reverse=True)


@ROUTER.get("/devices", summary="Registered devices", responses=_ERRORS)
async def list_devices(ctx: Ctx, _: DeviceReader) -> list[DeviceView]:
    """List every device of the registry with its enrolment and the latest word of it."""
    return devices_of(ctx.board)


@ROUTER.get("/devices/discovered", summary="Devices that are not enrolled", responses=_ERRORS)
async def list_discovered(ctx: Ctx, _: DeviceReader) -> list[DiscoveredView]:
    """List the devices that spoke and are silent for staff until they are enrolled."""
    return discovered_of(ctx.board)


@ROUTER.get("/events", summary="The event log of a device", responses=_ERRORS)
async def list_events(
    ctx: Ctx,
    _: DeviceReader,
    device: Annotated[str, Query(min_length=1, max_length=128, description="The device's identity.")],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[EventView]:
    """List a device's events, newest first."""
    found = await asyncio.to_thread(ctx.store.events, device=device, limit=limit)
    return [EventView.of(event) for _, event in found]
