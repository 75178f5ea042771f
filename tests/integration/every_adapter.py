"""Every adapter's golden frames walked through the real pipeline, each device enrolled for somebody."""

import json
from collections.abc import Iterator
from datetime import timedelta
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

from gateway.contract import Page
from gateway.contract.golden import RECEIVED, frame_of
from gateway.model.registry import RegistryDocument
from tests.unit.pipeline.town import document
from tests.unit.taps.care_kit import CareTown

SILENT_HOURS = 6
"""So long that whoever is watched by the device must hear that it says nothing more."""
SINCE = RECEIVED - timedelta(days=30)


def adapters() -> dict[str, str]:
    """Return the installed adapters of ours, with their packages."""
    return {point.name: point.module for point in entry_points(group="vaka.adapters")}


def golden(module: str) -> Iterator[dict[str, Any]]:
    """Yield the golden frames that readings are expected of."""
    for path in sorted(files(module).joinpath("frames").iterdir(), key=lambda one: one.name):
        if path.name.endswith(".json"):
            case = json.loads(path.read_text("utf-8"))
            if any("type" in reading for reading in case.get("expect", ())):
                yield case


def enrolled(adapter: str, cases: list[dict[str, Any]]) -> RegistryDocument:
    """Return a registry in which every device of the frames watches for a person."""
    kinds = {one["native_id"]: one["kind"] for case in cases for one in case["expect"] if "type" in one}
    named = {native: f"{adapter}-{number}" for number, native in enumerate(kinds)}
    return document(
        device=[
            {"id": named[native], "tenant": "t", "adapter": adapter, "native_id": native, "kind": kind}
            for native, kind in kinds.items()
        ],
        enrolment=[
            {
                "device": named[native],
                "home": "h1",
                "person": "p1",
                "since": SINCE,
                "heartbeat_s": 3600,
                "role": "sos" if kind == "button" else "",
            }
            for native, kind in kinds.items()
        ],
    )


def walked(adapter: str, module: str) -> tuple[CareTown, list[Page]]:
    """Walk an adapter's frames, a minute apart, then silence, then everything closed; returns the log."""
    cases = list(golden(module))
    town = CareTown(enrolled(adapter, cases))
    pages = []
    town.town.now = RECEIVED
    for case in cases:
        frame = frame_of(case)
        changes = town.town.take(frame.transport, frame.channel, frame.payload)
        pages.append(town.page(changes))
        town.town.now += timedelta(minutes=1)
    pages += [town.page(town.town.later(hours=1)) for _ in range(SILENT_HOURS)]
    for alert in sorted(town.town.state.alerts):
        pages += [
            town.page(town.town.answer(alert, "accept")),
            town.page(town.town.answer(alert, "close", outcome="test")),
        ]
    return town, pages
