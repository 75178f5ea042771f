"""The catalogue: every adapter with what it reads and how good it is, and every product that was tested."""

from collections.abc import Iterable
from importlib.resources import files

import msgspec

from gateway.contract import Adapter
from gateway.contract.manifest import QUALITY_RULES, Answer, read_quality
from gateway.interface.prose import slug

_SIGNS = {"done": "yes", "todo": "not yet", "exempt": "does not apply"}


class Tested(msgspec.Struct, frozen=True):
    """One product as a report of the conformance kit tells of it; `result` is the report's own word."""

    vendor: str
    product: str
    firmware: str
    kind: str
    interface: str
    kit: str
    date: str
    result: str
    figures: str
    by: str = ""


def catalogue(adapters: Iterable[Adapter], tested: Iterable[Tested] = ()) -> str:
    """Return the page in Markdown; adapters by their product's name."""
    there = sorted(adapters, key=lambda one: one.manifest.product.lower())
    lines = [
        "# Adapters and tested products",
        "",
        "Made from every adapter's manifest and quality file, and from the reports of the conformance kit.",
        "",
        "## Adapters",
        "",
        "| adapter | product | maker | quality | tried on |",
        "|---|---|---|---|---|",
        *(_row(one) for one in there),
        "",
        *_products(tested),
        *(line for one in there for line in _chapter(one)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def quality_of(adapter: Adapter) -> dict[str, Answer]:
    """Return how an adapter answers the quality rules; empty for one without a file that can be read."""
    package = type(adapter).__module__.rpartition(".")[0]
    if not package:
        return {}
    try:
        return read_quality(files(package).joinpath("quality.toml").read_text("utf-8"))
    except (FileNotFoundError, ModuleNotFoundError):
        return {}
    except (ValueError, msgspec.MsgspecError):  # a stranger's broken file shall not take the page down
        return {}


def _row(adapter: Adapter) -> str:
    told, answers = adapter.manifest, quality_of(adapter).values()
    done = sum(one.status == "done" for one in answers)
    asked = sum(one.status != "exempt" for one in answers)
    tried = ", ".join(told.tested_with) or "nothing yet"
    cells = (f"[{told.id}](#{slug(told.id)})", told.product, told.vendor, f"{done} of {asked}", tried)
    return f"| {' | '.join(map(_cell, cells))} |"


def _products(tested: Iterable[Tested]) -> list[str]:
    found = sorted(tested, key=lambda one: (one.vendor.lower(), one.product.lower(), one.firmware))
    if not found:
        return ["## Tested products", "", "No report of the conformance kit has been handed in.", ""]
    columns = (
        "maker",
        "product",
        "firmware",
        "kind",
        "interface",
        "result",
        "clauses",
        "date",
        "kit",
        "counterpart",
    )
    lines = ["## Tested products", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for one in found:
        cells = (
            *(one.vendor, one.product, one.firmware, one.kind, one.interface),
            *(one.result, one.figures, one.date, one.kit, one.by),
        )
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return [*lines, "", "A pass says what the kit saw of that firmware; it is no certification.", ""]


def _chapter(adapter: Adapter) -> list[str]:
    told = adapter.manifest
    lines = [
        f"## {told.id}",
        "",
        f"{told.product}, by {told.vendor or 'several makers'}; adapter version {told.version}.",
        "",
    ]
    for title, items in (
        ("Products and versions", told.variants),
        ("Topics", tuple(f"`{topic}`" for topic in told.topics)),
        ("Commands that it can send", told.commands),
        ("Read from", told.sources),
        ("What to know", told.traps),
    ):
        if items:
            lines += [f"**{title}**", "", *(f"- {item}" for item in items), ""]
    answers = quality_of(adapter)
    if answers:
        lines += ["| quality rule | answer | remark |", "|---|---|---|"]
        lines += [
            f"| {QUALITY_RULES.get(rule, rule)} | {_SIGNS[answer.status]} | {_cell(answer.reason)} |"
            for rule, answer in answers.items()
        ]
        lines.append("")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
