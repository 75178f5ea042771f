"""The Bluetooth transport, and the conformance kit beside it, stand on bleak's public API only."""

import ast

import bleak
import pytest
from tree import modules, short, tree_of

PUBLIC = frozenset(
    {
        "bleak",
        "bleak.exc",
        "bleak.backends.characteristic",
        "bleak.backends.client",
        "bleak.backends.device",
        "bleak.backends.scanner",
    }
)
"""The package, and the modules whose types its documentation names: errors, device, advertisement,
characteristic, and the two base classes that its own parameter `backend` takes."""
NAMES = {
    "bleak": {"BleakAdapter", "BleakClient", "BleakScanner"},
    "bleak.backends.characteristic": {"BleakGATTCharacteristic"},
    "bleak.backends.client": {"BaseBleakClient"},
    "bleak.backends.device": {"BLEDevice"},
    "bleak.backends.scanner": {"AdvertisementData", "BaseBleakScanner"},
}
KNOWING = ("gateway/transports/ble/", "gateway/conformance/ble/")
"""The transport, and the kit, which is a central of its own: it must do what no gateway does."""
STRANGERS = ("bumble", "dbus_fast")
"""What lies below bleak, or in the place of a radio: no business of the gateway's."""


def imported() -> list[tuple[str, str, str]]:
    """Every import of the gateway as file, module and name ("" for the module itself)."""
    found = []
    for path in modules("gateway"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Import):
                found += [(short(path), alias.name, "") for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                found += [(short(path), node.module, alias.name) for alias in node.names]
    return found


def of_bleak() -> list[tuple[str, str, str]]:
    return [one for one in imported() if one[1].partition(".")[0] == "bleak"]


def test_only_transport_and_kit_know_bleak_and_only_its_documented_modules() -> None:
    assert of_bleak()
    assert [one for one in of_bleak() if not one[0].startswith(KNOWING)] == []
    assert {one[1] for one in of_bleak()} <= PUBLIC
    assert [one for one in imported() if one[1].partition(".")[0] in STRANGERS] == []


def test_only_names_that_bleak_documents_are_imported() -> None:
    wrong = [one for one in of_bleak() if one[1] in NAMES and one[2] not in NAMES[one[1]]]

    assert wrong == []
    assert [one for one in of_bleak() if one[2].startswith("_")] == []


@pytest.mark.parametrize("path", [one for folder in KNOWING for one in modules(folder)], ids=short)
def test_neither_reaches_for_anything_private_or_unstable_of_another(path: object) -> None:
    tree = tree_of(path)  # type: ignore[arg-type]
    private = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "asyncio"))
    ]
    unstable = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("platform_data", "backend_id", "obj")
    ]

    assert private == []
    assert unstable == []


def test_the_names_are_there() -> None:
    assert all(hasattr(bleak, name) for name in NAMES["bleak"])
