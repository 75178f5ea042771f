"""The budget: a module aims at 120 lines and never passes 400, a function aims at 10 and never passes 50."""

from statistics import median

import pytest
from tree import PACKAGES, functions, modules, short

MODULE_AIM, MODULE_LINES = 120, 400
FUNCTION_AIM, FUNCTION_LINES = 10, 50
SIZED = (*PACKAGES, "benchmarks")


def test_no_module_passes_its_budget() -> None:
    sizes = {short(path): len(path.read_text().splitlines()) for path in modules(*SIZED)}

    assert {name: lines for name, lines in sizes.items() if lines > MODULE_LINES} == {}


def test_no_function_passes_its_budget() -> None:
    sizes = {
        f"{short(path)}:{function.lineno} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in modules(*SIZED)
        for function in functions(path)
    }

    assert {name: lines for name, lines in sizes.items() if lines > FUNCTION_LINES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_most_modules_stay_near_their_aim(package: str) -> None:
    sizes = [len(path.read_text().splitlines()) for path in modules(package)]

    assert median(sizes) <= MODULE_AIM


@pytest.mark.parametrize("package", PACKAGES)
def test_most_functions_stay_near_their_aim(package: str) -> None:
    sizes = [
        (function.end_lineno or 0) - function.lineno + 1
        for path in modules(package)
        for function in functions(path)
    ]

    assert median(sizes or [0]) <= FUNCTION_AIM
