"""A scenario as the text of its file, so that one that was made or made smaller can be kept and run again."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from simulators.scenarios.scenario import Scenario


def text_of(scenario: Scenario) -> str:
    """Return the TOML of a scenario; what is as by default is left out."""
    told = scenario.model_dump(by_alias=True, exclude_defaults=True)
    for fault, spec in zip(told.get("fault", ()), scenario.fault, strict=True):
        fault["kind"] = spec.kind
    tables = {key: told.pop(key) for key in ("happens", "fault", "pilot") if key in told}
    lines = [f"{key} = {_value(value)}" for key, value in told.items()]
    for name, rows in tables.items():
        for row in rows:
            lines += ["", f"[[{name}]]", *_rows(row)]
    return "\n".join(lines) + "\n"


def _rows(row: Mapping[str, Any]) -> Iterator[str]:
    for key, value in row.items():
        yield f"{key} = {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, date):  # or a moment
        return value.isoformat()
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(str(key))} = {_value(one)}" for key, one in value.items())
        return f"{{{inner}}}"
    if isinstance(value, Sequence | frozenset):
        rows = sorted(value) if isinstance(value, frozenset) else value
        return f"[{', '.join(map(_value, rows))}]"
    return repr(value)
