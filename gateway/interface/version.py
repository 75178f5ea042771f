"""Versions: what one version of the interface is, read from its folder; several stand beside each other."""

import importlib
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal

import msgspec

from gateway.contract.clauses import Clause, clauses_of
from gateway.model.vocabulary import VOCABULARY, EventType


class WordText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a word means and when it is sent, and an example of its data."""

    text: str
    example: dict[str, Any]


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words that devices of some kinds say."""

    title: str
    kinds: tuple[str, ...]
    words: dict[str, WordText]


class _Words(msgspec.Struct, forbid_unknown_fields=True):
    group: tuple[Group, ...]


class _Fields(msgspec.Struct):
    codes: dict[str, dict[str, str]]
    examples: dict[str, dict[str, Any]]


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What version.toml says. `topic` begins every topic, `suffix` ends every type on the wire.

    `messages` is the module of the wire's structs, and `leaves_out` names words it does not have.
    """

    id: str
    title: str
    topic: str
    suffix: str
    state: Literal["current", "deprecated", "withdrawn"]
    messages: str = "gateway.model.wire"
    leaves_out: tuple[str, ...] = ()
    replaced_by: str = ""
    served_until: str = ""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version: its words and their texts, examples, clauses, the template of its page, quick starts."""

    about: About
    groups: tuple[Group, ...]
    texts: Mapping[str, Mapping[str, str]]
    codes: Mapping[str, Mapping[str, str]]
    examples: Mapping[str, dict[str, Any]]
    clauses: tuple[Clause, ...]
    template: str
    quick: Mapping[str, str]

    def words(self) -> Iterator[tuple[Group, EventType, WordText]]:
        """Yield every word of this version, group by group."""
        for group in self.groups:
            for name, text in group.words.items():
                if name not in self.about.leaves_out:
                    yield group, VOCABULARY[name], text

    def wire(self, word: EventType) -> str:
        """Return a word's type as this version writes it."""
        return f"vaka.{word.name}.{self.about.suffix}"

    def message(self, name: str) -> type[msgspec.Struct]:
        """Return the struct of a message of this version, as `Status`."""
        found: type[msgspec.Struct] = getattr(importlib.import_module(self.about.messages), name)
        return found


def read_version(folder: Traversable, clauses: tuple[Clause, ...] | None = None) -> Version:
    """Read a version's folder; raises msgspec.ValidationError naming the key that is wrong.

    `clauses` are those of its id in the clause library, unless given.
    """
    text = {name: folder.joinpath(name).read_text("utf-8") for name in _FILES}
    about = msgspec.convert(tomllib.loads(text["version.toml"]), About)
    fields = tomllib.loads(text["fields.toml"])
    further = msgspec.convert({key: fields.pop(key) for key in ("codes", "examples")}, _Fields)
    return Version(
        about=about,
        groups=msgspec.convert(tomllib.loads(text["words.toml"]), _Words).group,
        texts=msgspec.convert(fields, dict[str, dict[str, str]]),
        codes=further.codes,
        examples=further.examples,
        clauses=clauses_of(about.id) if clauses is None else clauses,
        template=text["page.md"],
        quick={"python": text["quick_start.py.txt"], "node": text["quick_start.mjs"]},
    )


_FILES = ("version.toml", "fields.toml", "words.toml", "page.md", "quick_start.py.txt", "quick_start.mjs")


def _ours() -> dict[str, Version]:
    folders = [one for one in files("gateway.interface").iterdir() if one.joinpath("version.toml").is_file()]
    return {one.name: read_version(one) for one in sorted(folders, key=lambda one: one.name)}


VERSIONS: dict[str, Version] = _ours()
"""Every version that is served, by its id."""
