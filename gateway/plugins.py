"""Plugins: adapters, rules and channels as installed packages declare them, ours like a stranger's."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points

from gateway.contract import Adapter, ConfigurationError, Notifier, Rule, RuleState, as_active
from gateway.contract.library import RuleEntry
from gateway.model.frame import Frame
from gateway.pipeline.decode import WEBHOOK_PREFIX
from gateway.service.means import Means


def load_adapters(wanted: Iterable[str] = ()) -> list[Adapter]:
    """Return the installed adapters, or those named; ConfigurationError for a name that is not installed."""
    found = {entry.name: entry for entry in entry_points(group="vaka.adapters")}
    names = tuple(wanted) or tuple(sorted(found))
    if unknown := set(names) - set(found):
        raise ConfigurationError(f"adapters: found {sorted(unknown)}; allowed: {', '.join(sorted(found))}")
    return [found[name].load() for name in names]


def load_rules(own: Iterable[RuleEntry] = (), active: Collection[str] = ()) -> list[Rule]:
    """Return every installed rule and a municipality's own; those named `active` come out of the shadow.

    Raises ConfigurationError for a name that no shadow rule has: nothing else can be switched by it.
    """
    rules = [rule for entry in entry_points(group="vaka.rules") for rule in entry.load()]
    rules += [rule for entry in own for rule in entry.rules]
    shadows = {name for rule in rules if rule.state is RuleState.SHADOW for name in (rule.id, rule.catalogue)}
    if unknown := sorted(set(active) - shadows):
        allowed = ", ".join(sorted(rule.id for rule in rules if rule.state is RuleState.SHADOW))
        raise ConfigurationError(f"active_rules: found {unknown[0]!r}; allowed: {allowed}")
    return [as_active(rule) if {rule.id, rule.catalogue} & set(active) else rule for rule in rules]


def load_notifiers(means: Means) -> dict[str, Notifier]:
    """Return every installed and configured channel by its name in deliveries."""
    made: list[Notifier | None] = [entry.load()(means) for entry in entry_points(group="vaka.notifiers")]
    there = sorted((one for one in made if one is not None), key=lambda one: one.channel)
    return {notifier.channel: notifier for notifier in there}


def command_groups() -> dict[str, Callable[..., None]]:
    """Return further words of the `vaka` command by name; a package is loaded when its word is used."""
    return {entry.name: _late(entry) for entry in entry_points(group="vaka.commands")}


def _late(entry: EntryPoint) -> Callable[..., None]:
    def run(arguments: Sequence[str]) -> None:
        entry.load()(list(arguments), prog_name=f"vaka {entry.name}")

    return run


def urgency(adapters: Iterable[Adapter]) -> Callable[[Frame], bool]:
    """Return the test by which a frame overtakes others: bytes that its topic's adapter names.

    One search for all markers of a topic's first level: what they begin with in common is looked for once.
    A first level that no adapter names is searched for the markers of those that read any (`+`).
    """
    markers: dict[str, dict[bytes, None]] = {}
    for adapter in adapters:
        for topic in adapter.manifest.topics:
            root = topic.partition("/")[0]
            markers.setdefault(root, {}).update(dict.fromkeys(adapter.manifest.urgent))
    searches = {
        root: re.compile(b"|".join(map(re.escape, found))).search for root, found in markers.items() if found
    }

    def urgent(frame: Frame) -> bool:
        channel = frame.channel
        root = channel.partition("/")[0] or channel.removeprefix(WEBHOOK_PREFIX).partition("/")[0]
        search = searches.get(root) or searches.get("+")
        return search is not None and search(frame.payload) is not None

    return urgent
