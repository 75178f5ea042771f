"""Run: from a data directory to a pilot's list, report and comparison; what the commands ask for."""

from collections.abc import Iterator
from pathlib import Path

from gateway.api.texts import Language
from gateway.model.registry import Registry
from gateway.pilot.ask import ask
from gateway.pilot.compare import as_lines, as_page, pilots_compared, products_compared
from gateway.pilot.export import Progress, export, unsaid
from gateway.pilot.figures import Figures
from gateway.pilot.page import as_data, as_html
from gateway.pilot.source import Source


def listed(directory: Path) -> Iterator[str]:
    """Yield a line for each pilot of the registry that a data directory has."""
    source = Source(directory)
    try:
        for pilot in source.registry().pilot:
            products = f" ({', '.join(pilot.products)})" if pilot.products else ""
            yield f"{pilot.id}  {pilot.first_day} to {pilot.last_day}  {pilot.name}{products}"
    finally:
        source.close()


def figures_of(directory: Path, pilot: str, progress: Progress = unsaid) -> Figures:
    """Export what is new of a data directory, and ask for a pilot's figures."""
    folder = export(directory, progress)
    source = Source(directory)
    try:
        return ask(folder, Registry(source.registry()), pilot, source.now())
    finally:
        source.close()


def write_report(figures: Figures, out: Path, data: Path, language: Language) -> None:
    """Write the page and its data, each in one step: a reader never meets half of one."""
    _replace(out, as_html(figures, language, data.name).encode())
    _replace(data, as_data(figures))


def compared(
    first: Figures, other: Figures | None, names: tuple[str, str], language: Language, out: Path | None
) -> list[str]:
    """Return the lines of a comparison, of two products or with another directory's figures.

    Its page is written to `out`, if that is named.
    """
    found = products_compared(first, *names) if other is None else pilots_compared(first, other, names)
    if out is not None:
        _replace(out, as_page(found, language).encode())
    return as_lines(found, language)


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.replace(path)
