"""Plugins: adapters, rules and channels as installed packages declare them, ours like a stranger's."""

from collections.abc import Callable, Iterable
from importlib.metadata import entry_points

from gateway.contract import Adapter, ConfigurationError, Notifier, Rule
from gateway.model.frame import Frame
from gateway.pipeline.decode import WEBHOOK_PREFIX
from gateway.service.board import Board


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


def load_notifiers(board: Board) -> dict[str, Notifier]:
    """Return every installed channel by its name in deliveries."""
    made: list[Notifier] = [entry.load()(board) for entry in entry_points(group="vaka.notifiers")]
    return {notifier.channel: notifier for notifier in sorted(made, key=lambda one: one.channel)}


def urgency(adapters: Iterable[Adapter]) -> Callable[[Frame], bool]:
    """Return the test by which a frame overtakes others: bytes that its topic's adapter names."""
    markers: dict[str, tuple[bytes, ...]] = {}
    for adapter in adapters:
        for topic in adapter.manifest.topics:
            root = topic.partition("/")[0]
            markers[root] = tuple(dict.fromkeys((*markers.get(root, ()), *adapter.manifest.urgent)))

    def urgent(frame: Frame) -> bool:
        payload = frame.payload
        channel = frame.channel.removeprefix(WEBHOOK_PREFIX)
        for marker in markers.get(channel.partition("/")[0], ()):  # noqa: SIM110 - hot path: any() costs thrice that
            if marker in payload:
                return True
        return False

    return urgent
