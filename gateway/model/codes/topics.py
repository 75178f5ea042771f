"""Event topics of networked cameras (the open topic tree and what vendors hang below it) as our words."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files

import msgspec

from gateway.model.vocabulary import VOCABULARY, HealthValues, Values

TRUE = frozenset({"1", "true", "active", "high", "on", "yes"})
FALSE = frozenset({"0", "false", "inactive", "low", "off", "no"})
"""How states are written; every value on the wire is text."""
KEPT = frozenset(
    {"port", "sensor", "channel", "areaid", "state", "active", "source", "videosource", "logicalstate"}
    | {"classtypes", "disk_id", "ismotion", "triggered", "doortoken", "inputtoken", "token", "tampering"}
    | {"videosourcetoken", "videosourceconfigurationtoken", "device", "id", "failed", "accessed", "value"}
)
"""Items that describe a port, a channel or a state; a rule's or a person's name is not among them."""


class Topic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one topic says: `on` and `off` for the state of `item`, or `values` word by word.

    `person` replaces the two words when the object is classed as a human; `named` holds the two words by
    the item's own name, for a topic whose item says what was seen; `seen` the two of a topic that lists the
    classes in view. A word "" in `values` is a documented state that says nothing; `reason` alone says why
    the topic is not used.
    """

    path: str
    item: tuple[str, ...] = ("state", "active", "value", "logicalstate")
    on: str = ""
    off: str = ""
    values: dict[str, str] = {}
    person: tuple[str, ...] = ()
    named: dict[str, tuple[str, str]] = {}
    seen: tuple[str, ...] = ()
    code: str = ""
    reason: str = ""


class Said(msgspec.Struct, frozen=True):
    """A word of the vocabulary, or the reason why a known topic says none; both "" for an unknown state."""

    word: str = ""
    reason: str = ""
    state: str = ""


def _read() -> dict[str, Topic]:
    found = tomllib.loads(files(__package__).joinpath("topics.toml").read_text("utf-8"))
    return {row.path: row for row in msgspec.convert(found["topic"], list[Topic])}


TOPICS: dict[str, Topic] = _read()
"""Every known topic by its path without namespaces."""


def bare(topic: str) -> str:
    """Return a topic without namespaces: prefixes (`tns1:Device`) or levels (`tns:onvif/Device`)."""
    parts = topic.strip().strip("/").split("/")
    return "/".join(part.rpartition(":")[2] for part in parts if not part.startswith("tns:"))


def find(path: str) -> Topic | None:
    """Return the row of a topic or of the nearest one above it."""
    parts = path.split("/")
    for length in range(len(parts), 0, -1):
        row = TOPICS.get("/".join(parts[:length]))
        if row is not None:
            return row
    return None


NOT_A_PERSON = "what was seen is not a person"
PEOPLE = ("human", "person", "face")
"""Classes that are a person; whose face it is is never read."""


def say(row: Topic, data: Mapping[str, str]) -> Said:
    """Return what a topic's data items mean; names and states are compared without case."""
    if row.reason:
        return Said(reason=row.reason)
    return _said(row, {name.lower(): value.strip().lower() for name, value in data.items()})


def _said(row: Topic, items: Mapping[str, str]) -> Said:
    if row.seen and "classtypes" in items:
        return Said(word=row.seen[0 if _people(items["classtypes"]) else 1])
    told = next((name for name in row.named if name in items), "")
    if told:
        on, off = row.named[told]
        return _switch(items[told], on, off) if on else Said(reason=NOT_A_PERSON)
    state = next((items[name] for name in row.item if name in items), "")
    on, off = row.on, row.off
    if row.person and not state and "scenario" in items:
        return _counted(items, *row.person)
    classes = items.get("classtypes", "")
    if row.person and classes:
        on, off = row.person if _people(classes) else ("", "")
    if row.person and classes and not on:
        return Said(reason=NOT_A_PERSON, state=state)
    if row.values:
        word = row.values.get(state)
        return Said(word=word or "", reason="" if word != "" else "the state says nothing", state=state)
    return _switch(state, on, off)


def _people(classes: str) -> bool:
    return any(name in classes for name in PEOPLE)


def _switch(state: str, on: str, off: str) -> Said:
    if state in TRUE or (state.isdecimal() and int(state[:9]) > 0):
        return Said(word=on, state=state)
    if state in FALSE:
        return Said(word=off, reason="" if off else "the state ended", state=state)
    return Said(state=state)


def _counted(items: Mapping[str, str], on: str, off: str) -> Said:
    """Read a counting scenario: the people in an area now; a line's running total is no presence."""
    people = items.get("human", "")
    if "occupan" not in items["scenario"] or not people.isdecimal():
        return Said(reason="a count of what passed says nothing of the vocabulary")
    return _switch(people, on, off)


def values_of(row: Topic, word: str, items: Mapping[str, str]) -> Values:
    """Return the values of a word with those items that say nothing of a person."""
    details: dict[str, str | int | float | bool] = {
        name[:64]: value[:128] for name, value in items.items() if name.lower() in KEPT and value.strip()
    }
    kind = VOCABULARY[word].values
    return (
        HealthValues(code=row.code or None, details=details)
        if kind is HealthValues
        else kind(details=details)
    )
