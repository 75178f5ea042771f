"""Exclusions: cases that a challenge found wrong; the list is public, and every report names it."""

from datetime import date
from importlib.resources import files
from pathlib import Path

import tomli
from pydantic import Field

from gateway.config import validated
from gateway.files import read_toml
from gateway.sections import Section


class Exclusion(Section):
    """One case that is not run, by which challenge, why, and since when; its clauses are then untested."""

    case: str = Field(min_length=1)
    challenge: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    since: date


class Exclusions(Section):
    """The file."""

    excluded: tuple[Exclusion, ...] = ()


def read_exclusions(path: Path | None = None) -> tuple[Exclusion, ...]:
    """Read a file, or the kit's own; ConfigurationError names every fault."""
    if path is not None:
        return validated(Exclusions, read_toml(path), str(path), keys_in="docs/conformance.md").excluded
    own = files("gateway.conformance").joinpath("exclusions.toml").read_text("utf-8")
    return validated(Exclusions, tomli.loads(own), "exclusions.toml").excluded
