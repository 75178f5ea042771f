"""Plugins: adapters, rules and channels as installed packages declare them, ours like a stranger's."""

import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from traceback import walk_tb
from typing import Any

import msgspec

from gateway.contract import (
    Adapter,
    Answering,
    ConfigurationError,
    Manifest,
    Notifier,
    Rule,
    RuleState,
    Tap,
    Told,
    as_active,
)
from gateway.contract.gatt import Profile
from gateway.contract.library import RuleEntry
from gateway.contract.manifest import read_manifest
from gateway.model.forwarded import edge_of, read_forwarded
from gateway.model.frame import Frame
from gateway.pipeline.decode import WEBHOOK_PREFIX, AdapterTable
from gateway.service.means import Means
from gateway.service.tapping import TapMeans

MAX_FAULT_CHARACTERS = 300
"""So much of a plugin's own error is told; it is one line whatever stands in it."""


def load_adapters(wanted: Iterable[str] = ()) -> list[Adapter]:
    """Return the installed adapters, or those named.

    Raises ConfigurationError for a name that is not installed, and with a line for each that cannot be used.
    """
    adapters, faults = find_adapters(wanted)
    if faults:
        raise ConfigurationError("\n".join(faults))
    return adapters


def find_adapters(wanted: Iterable[str] = ()) -> tuple[list[Adapter], list[str]]:
    """Return the adapters that can be used, and one line for each that cannot; else as `load_adapters`."""
    found = {entry.name: entry for entry in entry_points(group="vaka.adapters")}
    names = tuple(wanted) or tuple(sorted(found))
    if unknown := set(names) - set(found):
        raise ConfigurationError(f"adapters: found {sorted(unknown)}; allowed: {', '.join(sorted(found))}")
    usable: list[Adapter] = []
    faults: list[str] = []
    for name in names:
        try:
            usable.append(_adapter(found[name]))
        except ConfigurationError as error:
            faults.append(str(error))
    return usable, faults


def load_rules(own: Iterable[RuleEntry] = (), active: Collection[str] = ()) -> list[Rule]:
    """Return every installed rule and a municipality's own; those named `active` come out of the shadow.

    Raises ConfigurationError for a name that no shadow rule has: nothing else can be switched by it.
    """
    rules = [rule for entry in entry_points(group="vaka.rules") for rule in _load(entry)]
    rules += [rule for entry in own for rule in entry.rules]
    shadows = {name for rule in rules if rule.state is RuleState.SHADOW for name in (rule.id, rule.catalogue)}
    if unknown := sorted(set(active) - shadows):
        allowed = ", ".join(sorted(rule.id for rule in rules if rule.state is RuleState.SHADOW))
        raise ConfigurationError(f"active_rules: found {unknown[0]!r}; allowed: {allowed}")
    return [as_active(rule) if {rule.id, rule.catalogue} & set(active) else rule for rule in rules]


def load_notifiers(means: Means) -> dict[str, Notifier]:
    """Return every installed and configured channel by its name in deliveries."""
    made: list[Notifier | None] = [_load(entry)(means) for entry in entry_points(group="vaka.notifiers")]
    there = sorted((one for one in made if one is not None), key=lambda one: one.channel)
    return {notifier.channel: notifier for notifier in there}


def load_taps(means: TapMeans) -> list[Tap]:
    """Return every installed tap, one for each receiver that is configured."""
    return [tap for entry in sorted(entry_points(group="vaka.taps")) for tap in _load(entry)(means)]


def load_profiles() -> list[Profile]:
    """Return the installed Bluetooth profiles; raises ConfigurationError for one that cannot be used."""
    found = sorted(entry_points(group="vaka.gatt"), key=lambda entry: entry.name)
    return [_profile(entry) for entry in found]


def command_groups() -> dict[str, Callable[..., None]]:
    """Return further words of the `vaka` command by name; a package is loaded when its word is used."""
    return {entry.name: _late(entry) for entry in entry_points(group="vaka.commands")}


def _late(entry: EntryPoint) -> Callable[..., None]:
    def run(arguments: Sequence[str]) -> None:
        _load(entry)(list(arguments), prog_name=f"vaka {entry.name}")

    return run


def _adapter(entry: EntryPoint) -> Adapter:
    adapter: Adapter = _load(entry)
    manifest = getattr(adapter, "manifest", None)
    if not isinstance(manifest, Manifest) or not callable(getattr(adapter, "decode", None)):
        raise _fault(entry, f"{type(adapter).__name__} is no adapter: it needs `manifest` and `decode`")
    if manifest.id != entry.name:
        raise _fault(entry, f"its manifest.toml says id {manifest.id!r}; allowed: {entry.name!r}")
    return adapter


def _profile(entry: EntryPoint) -> Profile:
    profile: Profile = _load(entry)
    if not callable(getattr(profile, "claims", None)) or not callable(getattr(profile, "session", None)):
        raise _fault(entry, f"{type(profile).__name__} is no profile: it needs `claims` and `session`")
    if profile.id != entry.name:
        raise _fault(entry, f"its id is {profile.id!r}; allowed: {entry.name!r}")
    return profile


def _load(entry: EntryPoint) -> Any:
    """Load what an entry point names; ConfigurationError says in one line whose it is and where it breaks."""
    try:
        return entry.load()
    except SyntaxError as error:
        where = f"{error.filename}, line {error.lineno}"
        raise _fault(entry, f"{where}: {type(error).__name__}: {error.msg}") from error
    except Exception as error:  # a stranger's code may raise anything
        raise _fault(entry, f"{_place(entry, error)}{type(error).__name__}: {error}") from error


def _fault(entry: EntryPoint, reason: str) -> ConfigurationError:
    told = " ".join(reason.split())
    if len(told) > MAX_FAULT_CHARACTERS:
        told = f"{told[:MAX_FAULT_CHARACTERS]}..."
    whose = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unnamed distribution"
    named = f"{whose}, entry point {entry.group}: {entry.name} = {entry.value}"
    return ConfigurationError(f"{named}: cannot be used: {told}")


def _place(entry: EntryPoint, error: Exception) -> str:
    """Return the last file and line of the plugin's own package, or its manifest when that was being read."""
    own = entry.module.partition(".")[0]
    place, manifest = "", False
    for frame, line in walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__", "").partition(".")[0] == own:
            place = f"{frame.f_code.co_filename}, line {line}: "
        manifest |= frame.f_code is read_manifest.__code__
    if manifest and place and isinstance(error, msgspec.ValidationError | tomllib.TOMLDecodeError):
        return f"{Path(place.rpartition(', line')[0]).with_name('manifest.toml')}: "
    return place


def _is_high(envelope: bytes) -> bool:
    """Tell whether an edge has marked a forwarded frame: a call for help, or what came before it."""
    try:
        return read_forwarded(envelope).high
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
        return False


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
        if edge_of(channel):
            return _is_high(frame.payload)
        root = channel.partition("/")[0] or channel.removeprefix(WEBHOOK_PREFIX).partition("/")[0]
        search = searches.get(root) or searches.get("+")
        return search is not None and search(frame.payload) is not None

    return urgent


def answers(adapters: Sequence[Adapter]) -> Callable[[Frame, Told], bytes]:
    """Return what makes the answer to a frame: its channel's adapter, where that answers, else b""."""
    table = AdapterTable(adapters)

    def answer(frame: Frame, told: Told) -> bytes:
        adapter: object = table.find(frame.channel)
        return adapter.reply(frame, told) if isinstance(adapter, Answering) else b""

    return answer
