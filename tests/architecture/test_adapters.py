"""Adapters all look alike, and the core knows none of them."""

import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from tree import ROOT, adapters, modules, short

STANDARDS = {"vaka", "scaip", "sia", "onvif", "vkp", "bthome"}
"""The project's own device interface and the open standards: their names are the field's, no vendor's."""
PLAIN_WORDS = {"axis"}
"""Names that are plain English too: their products and vendors alone are looked for."""


def manifest(adapter: Path) -> dict[str, object]:
    return tomllib.loads((adapter / "manifest.toml").read_text())


@pytest.mark.parametrize("adapter", adapters(), ids=short)
def test_an_adapter_has_its_manifest_quality_file_and_golden_frames(adapter: Path) -> None:
    assert manifest(adapter)["id"] == adapter.name
    assert tomllib.loads((adapter / "quality.toml").read_text())
    assert list((adapter / "frames").iterdir())


def test_every_adapter_is_registered_and_every_registered_one_exists() -> None:
    registered = {point.name for point in entry_points(group="vaka.adapters")}

    assert registered == {adapter.name for adapter in adapters()}


def vendor_names() -> set[str]:
    names: set[str] = set()
    for adapter in adapters():
        if adapter.name not in STANDARDS:
            told = manifest(adapter)
            names |= {adapter.name.lower(), str(told["product"]).lower(), str(told["vendor"]).lower()}
    return names - PLAIN_WORDS


@pytest.mark.parametrize("package", ["gateway", "rules"])
def test_the_core_names_no_vendor_and_no_product(package: str) -> None:
    names = re.compile("|".join(map(re.escape, sorted(vendor_names()))) or r"\Z\A", re.IGNORECASE)
    found = [
        f"{short(path)}: {match.group()}"
        for path in sorted((ROOT / package).rglob("*"))
        if path.suffix in {".py", ".toml", ".html", ".js", ".css", ".json"}
        for match in [names.search(path.read_text())]
        if match
    ]

    assert found == []


def test_no_adapter_module_is_named_in_another_package() -> None:
    assert [
        short(path)
        for path in modules("gateway", "rules", "simulators")
        if re.search(r"\badapters\.\w+", path.read_text())
    ] == []
