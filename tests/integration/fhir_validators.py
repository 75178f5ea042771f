"""Two validators of FHIR R4 that do not know each other, for what a gateway serves."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "validators"
Resource = dict[str, Any]


def valid_to_fhir_resources(found: Iterable[Resource]) -> None:
    """Fail for a resource that the classes of fhir.resources (R4B) do not take."""
    for one in found:
        kind = one["resourceType"]
        getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind).model_validate(one)


def valid_to_medplum(found: Iterable[Resource], path: Path) -> None:
    """Fail for a resource that Medplum's core library finds wrong by HL7's definitions; skip without node."""
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "@medplum" / "core").is_dir():
        reason = "Medplum's validator needs node and scripts/node-packages tests/validators"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    lines = [json.dumps(one) + "\n" for one in found]
    path.write_text("".join(lines))
    done = subprocess.run(
        [node, str(FOLDER / "fhir.mjs"), str(path)], capture_output=True, text=True, timeout=300, check=True
    )
    *wrong, told = [json.loads(line) for line in done.stdout.splitlines()]
    assert wrong == []
    assert told == {"read": len(lines)}
