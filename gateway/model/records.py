"""Records: what every record that people write in the registry has in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
"""An identity: letters, digits and . _ : / - , at most 128 characters; never a personal number."""

Seconds = Annotated[float, Field(gt=0, le=30 * 86400)]


class Record(BaseModel):
    """One record of a file that people write: unknown keys are faults, and nothing changes it later."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def wrong(kind: str, owner: str, key: str, found: str, allowed: str) -> ValueError:
    """Return the fault of a record, with its key, what was found and what is allowed."""
    return ValueError(f"{kind} {owner}: {key}: found {found!r}; allowed: {allowed}")
