"""The core is pure, and the wall clock has one source."""

import ast
from pathlib import Path

import pytest
from tree import CORE, modules, short, tree_of

FORBIDDEN_MODULES = {
    "aiohttp", "asyncio", "ftplib", "httpx", "io", "logging", "os", "paho", "pathlib", "random", "requests",
    "secrets", "select", "shutil", "signal", "smtplib", "socket", "sqlite3", "ssl", "subprocess", "sys",
    "tempfile", "threading", "time", "urllib.request", "uuid",
}  # fmt: skip
FORBIDDEN_BUILTINS = {"open", "input", "print", "exec", "eval", "id", "hash"}
FORBIDDEN_METHODS = {
    "now", "utcnow", "today", "uuid1", "uuid4", "urandom",
    "open", "read_text", "read_bytes", "write_text", "write_bytes", "open_text", "open_binary",
}  # fmt: skip
CLOCK_CALLS = {"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime"}
CLOCK_OWNERS = {"datetime", "date", "time", "dt"}
COMMANDS = ("gateway/__main__.py", "gateway/commands/")
"""What starts things, and may look at the clock to do so."""
MAY_MAKE_A_CLOCK = (
    "gateway/service/",
    "gateway/wiring",
    "gateway/edge/house.py",
    "gateway/tap_child.py",
    *COMMANDS,
)


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def calls(path: Path) -> list[tuple[str, str, int]]:
    """Every call as (owner, name, line): `datetime.now()` is ("datetime", "now", 7)."""
    found = []
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            found.append(("", node.func.id, node.lineno))
        elif isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "?")
            found.append((name, node.func.attr, node.lineno))
    return found


@pytest.mark.parametrize("path", modules(*CORE), ids=short)
def test_a_core_module_imports_nothing_that_acts_on_the_world(path: Path) -> None:
    assert {name for name in imported(path) if {name, name.split(".")[0]} & FORBIDDEN_MODULES} == set()


def permitted(path: Path) -> set[str]:
    """A package may read the data it is installed with: without pathlib, only importlib.resources can."""
    return {"read_text", "read_bytes"} if "importlib.resources" in imported(path) else set()


@pytest.mark.parametrize("path", modules(*CORE), ids=short)
def test_a_core_module_calls_no_clock_no_chance_and_no_file(path: Path) -> None:
    methods = FORBIDDEN_METHODS - permitted(path)

    assert [call for call in calls(path) if call[1] in (methods if call[0] else FORBIDDEN_BUILTINS)] == []


def test_the_wall_clock_of_the_running_gateway_is_read_in_one_place() -> None:
    readers = {
        short(path)
        for path in modules("gateway")
        for owner, name, _ in calls(path)
        if owner in CLOCK_OWNERS and name in CLOCK_CALLS and not short(path).startswith(COMMANDS)
    }

    assert readers == {"gateway/service/clock.py"}


def test_only_the_wiring_makes_the_system_clock() -> None:
    makers = {
        short(path) for path in modules("gateway") for _, name, _ in calls(path) if name == "SystemClock"
    }

    assert {maker for maker in makers if not maker.startswith(MAY_MAKE_A_CLOCK)} == set()
