"""Every adapter by every connector: what any device leads to is held by any care system, once, and proved."""

import asyncio
import os
from pathlib import Path

import pytest

from gateway.contract import Handed, Page
from gateway.tap_settings import CareSettings
from gateway.taps.care import CONNECTORS
from gateway.taps.care.carrier import CareTap, Held, version_of
from gateway.taps.care.making import owed
from simulators.standins.care import CareStandIn
from simulators.standins.server import served
from tests.integration.every_adapter import adapters, walked
from tests.unit.taps.care_kit import CareTown


async def carried(
    settings: CareSettings, town: CareTown, pages: list[Page]
) -> tuple[list[Handed], dict[str, Held]]:
    """Hand all pages over, the last two of them twice, and read what the receiver holds."""
    tap = CareTap(settings, CONNECTORS[settings.kind](settings), town.asked)
    try:
        handed = [item for page in (*pages, *pages[-2:]) for item in await tap.take(page)]
        held = await tap.connector.held()
        assert held is not None
        return handed, dict(held)
    finally:
        await tap.close()


def settings_of(kind: str, adapter: str, url: str, folder: Path) -> CareSettings:
    """Return the settings of a cell: a system that no other adapter writes to, and nothing else special."""
    drop = folder / adapter
    drop.mkdir(exist_ok=True)
    given = {"kind": kind, "name": f"{kind}-{adapter}"}
    given |= {"folder": str(drop)} if kind == "file" else {"url": f"{url}/fhir" if kind == "fhir" else url}
    return CareSettings.model_validate(given)


def test_every_adapter_by_every_connector(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _file: None)  # the disk is waited for in other tests
    names, kinds = sorted(adapters()), list(CONNECTORS)
    stand_in = CareStandIn()
    with served(stand_in.app) as url:
        table, red = _matrix(names, kinds, stand_in, url, tmp_path)
    with capsys.disabled():
        print("\n" + "\n".join(table))  # noqa: T201 - the matrix is for people to see
    assert red == []


def _matrix(
    names: list[str], kinds: list[str], stand_in: CareStandIn, url: str, folder: Path
) -> tuple[list[str], list[str]]:
    table = [f"{'':<16}" + "".join(f"{kind:>12}" for kind in kinds)]
    red = []
    for adapter in names:
        town, pages = walked(adapter, adapters()[adapter])
        wanted: dict[str, int] = {}
        for page in pages:
            wanted |= owed(page, town.asked)
        cells = []
        for kind in kinds:
            stand_in.records.clear()
            stand_in.fhir.held.clear()
            handed, held = asyncio.run(carried(settings_of(kind, adapter, url, folder), town, pages))
            cells.append("typed by hand" if stand_in.manual else _wrong(wanted, handed, held))
        red += [f"{adapter} x {kind}: {fault}" for kind, fault in zip(kinds, cells, strict=True) if fault]
        table.append(f"{adapter:<16}" + "".join(f"{fault or f'ok {len(wanted)}':>12}" for fault in cells))
    return table, red


def _wrong(wanted: dict[str, int], handed: list[Handed], held: dict[str, Held]) -> str:
    """Return what is wrong with a cell, "" for one that is green."""
    proofs = {item.item: version_of(item.proof) for item in handed}
    if not wanted:
        return "no records"
    if refused := [item.refused for item in handed if item.refused]:
        return f"refused {refused[0]}"
    if wrong := [key for key, version in wanted.items() if proofs.get(key, 0) < version]:
        return f"unproved {wrong[0]}"
    if wrong := [key for key, version in wanted.items() if key not in held or held[key].version < version]:
        return f"not held {wrong[0]}"
    return "" if set(held) == set(wanted) else "too many"
