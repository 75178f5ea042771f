"""Fits: whether a resource is one of those that a search asked for, by what the resource itself says."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.fhir.asked import alternatives, period_of
from gateway.fhir.kinds import DATE, ID, REFERENCE, TOKEN, UPDATED
from gateway.fhir.terms import Resource

ELEMENTS: Mapping[str, tuple[str, ...]] = {
    ID: ("id",),
    "patient": ("patient", "subject", "for"),
    "business-status": ("businessStatus",),
}
"""The elements of a parameter that is not called as its element."""


def fits(resource: Resource, params: Mapping[str, Sequence[str]], types: Mapping[str, str]) -> bool:
    """Tell whether a resource is as every parameter asks; dates but `_lastUpdated` are judged elsewhere."""
    return all(_fits(resource, name, values, types.get(name, TOKEN)) for name, values in params.items())


def updated_of(resource: Resource) -> datetime:
    """Return when a resource was last updated."""
    return datetime.fromisoformat(resource["meta"]["lastUpdated"])


def references_of(resource: Resource, element: str) -> Iterator[str]:
    """Yield what an element refers to, as `Type/id`."""
    yield from _references(resource.get(element))


def _fits(resource: Resource, name: str, values: Sequence[str], type_: str) -> bool:
    if name == UPDATED:
        return period_of(name, values).holds(updated_of(resource))
    if type_ == DATE:
        return True
    elements = [resource.get(one) for one in ELEMENTS.get(name, (name,))]
    if type_ == REFERENCE:
        there = {found for one in elements for found in _references(one)}
        kind = "Patient" if name == "patient" else ""
        return all(any(_refers(part, there, kind) for part in parts) for parts in alternatives(values))
    codes = [code for one in elements for code in _codes(one)]
    return all(any(_coded(part, codes) for part in parts) for parts in alternatives(values))


def _refers(part: str, there: set[str], kind: str) -> bool:
    written = "/".join(part.split("/")[-2:])
    if "/" in written:
        return written in there and (not kind or written.startswith(f"{kind}/"))
    return any(found.endswith(f"/{written}") and found.startswith(kind) for found in there)


def _coded(part: str, codes: list[tuple[str, str]]) -> bool:
    system, bar, code = part.rpartition("|")
    if not bar:
        return any(code == found for _, found in codes)
    return any(system == of and code in {"", found} for of, found in codes)


def _references(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        if isinstance(found.get("reference"), str):
            yield found["reference"]
        else:
            yield from _references(found.get("actor"))
    elif isinstance(found, list):
        for one in found:
            yield from _references(one)


def _codes(found: Any) -> Iterator[tuple[str, str]]:
    if isinstance(found, str):
        yield "", found
    elif isinstance(found, list):
        for one in found:
            yield from _codes(one)
    elif isinstance(found, dict):
        if "coding" in found:
            yield from _codes(found["coding"])
        elif "code" in found or "value" in found:
            yield found.get("system", ""), str(found.get("code", found.get("value")))
