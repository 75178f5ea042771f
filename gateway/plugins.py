"""Plugins: adapters and rules as installed packages declare them, ours like a stranger's."""

import re
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points

from gateway.contract import Adapter, ConfigurationError, Rule
from gateway.model.frame import Frame


def load_adapters(wanted: Iterable[str] = ()) -> list[Adapter]:
    """Return the installed adapters, or those named; ConfigurationError for a name that is not installed."""
    found = {entry.name: entry for entry in entry_points(group="vaka.adapters")}
    names = tuple(wanted) or tuple(sorted(found))
    if unknown := set(names) - set(found):
        raise ConfigurationError(f"adapters: found {sorted(unknown)}; allowed: {', '.join(sorted(found))}")
    return [found[name].load() for name in names]


def load_rules() -> list[Rule]:
    """Return every installed rule."""
    return [rule for entry in entry_points(group="vaka.rules") for rule in entry.load()]


def urgency(adapters: Iterable[Adapter]) -> Callable[[Frame], bool]:
    """Return the test by which a frame overtakes others: bytes that the adapters' manifests name."""
    markers = {marker for adapter in adapters for marker in adapter.manifest.urgent}
    if not markers:
        return lambda _frame: False
    search = re.compile(b"|".join(re.escape(marker) for marker in sorted(markers))).search
    return lambda frame: search(frame.payload) is not None
