"""Library: the catalogue of all rules, whatever does them, and the documents that a municipality adds."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files

import msgspec

from gateway.contract import Rule
from gateway.contract.library import RuleEntry, Vector
from rules.language.document import Document, Words
from rules.language.explain import explain
from rules.language.lint import parse
from rules.language.rule import DocumentRule
from rules.plain import PLAIN

OWN_IDS = "M"
"""First letter of the catalogue ids that are left to municipalities."""


class Library:
    """Fulfils the RuleLibrary port."""

    def entries(self) -> Sequence[RuleEntry]:
        """Return the catalogue, in its order; ValueError for a file of ours that is faulty."""
        return catalogue()

    def read(self, files: Mapping[str, str]) -> tuple[Sequence[RuleEntry], Sequence[str]]:
        """Read a municipality's documents; a rule of ours cannot be replaced by one of them."""
        found: list[RuleEntry] = []
        faults: list[str] = []
        for name, text in sorted(files.items()):
            document, wrong = parse(text)
            if document is not None:
                wrong = [*_clashes(document, found)]
            faults += [f"{name}: {fault}" for fault in wrong]
            if document is not None and not wrong:
                found.append(_entry(document))
        return found, faults

    def read_one(self, name: str, text: str) -> Sequence[str]:
        """Return the faults of one document by itself."""
        return self.read({name: text})[1]


@cache
def catalogue() -> tuple[RuleEntry, ...]:
    """Read the catalogue that comes with the program."""
    found = []
    for file in files("rules.catalogue").iterdir():
        if file.name.endswith(".toml"):
            document, faults = parse(file.read_text(encoding="utf-8"))
            if document is None:
                raise ValueError(f"{file.name}: {'; '.join(faults)}")
            found.append(_entry(document))
    return tuple(sorted(found, key=_order))


def rules() -> tuple[Rule, ...]:
    """Return every rule of the catalogue that is asked: calls for help first, then the documents."""
    documents = [rule for entry in catalogue() for rule in entry.rules if isinstance(rule, DocumentRule)]
    return (*PLAIN, *documents)


def words() -> dict[str, dict[str, str]]:
    """Return what staff read of the catalogue's rules, by language and key."""
    return joined(catalogue())


def joined(entries: Iterable[RuleEntry]) -> dict[str, dict[str, str]]:
    """Return the words of several rules as one book a language."""
    book: dict[str, dict[str, str]] = {"sv": {}, "en": {}}
    for entry in entries:
        for language, own in entry.texts.items():
            book[language].update(own)
    return book


def _entry(document: Document) -> RuleEntry:
    named = {
        document.id: document.texts,
        **document.also,
        **dict.fromkeys(document.answers_for, document.texts),
    }
    return RuleEntry(
        catalogue=document.catalogue,
        id=document.id,
        version=document.version,
        kind=document.kind,
        state=document.state,
        severities=tuple(severity.value for severity in document.severities),
        route=_routes(document),
        source=document.source,
        title=document.texts.en.alert,
        budget=document.budget,
        texts={language: _words(document, named, language) for language in ("sv", "en")},
        numbers=document.numbers,
        rules=_rules(document, set(named)),
        module=document.module,
        fires_in=document.fires_in,
        silent_in=document.silent_in,
        vectors=tuple(msgspec.convert(vector, Vector) for vector in document.vectors),
        explanation=tuple(explain(document)),
        kept_active=document.kept_active,
    )


def _rules(document: Document, names: set[str]) -> tuple[Rule, ...]:
    if document.kind == "document":
        return (DocumentRule(document),)
    return tuple(rule for rule in PLAIN if rule.id in names) if document.kind == "python" else ()


def _routes(document: Document) -> str:
    routes = [trigger.route for trigger in document.trigger if trigger.route is not None]
    routes += [step.route for trigger in document.trigger for step in trigger.escalate_if if step.route]
    routes += [document.route] if document.route else []
    return ", ".join(dict.fromkeys(route.value for route in routes))


def _words(document: Document, named: Mapping[str, Words], language: str) -> dict[str, str]:
    """Return the words of a rule; the alerts of what is built in have theirs where they are made."""
    found: dict[str, str] = {}
    for name, told in named.items():
        own = told.sv if language == "sv" else told.en
        found[f"routine.{name}"] = own.routine
        if document.kind != "built_in":
            found[f"alert.{name}"] = own.alert
    return found


def _clashes(document: Document, found: Sequence[RuleEntry]) -> list[str]:
    """What keeps a municipality's document out: our rules' places, and what only the program may say."""
    faults = []
    if document.kind != "document":
        faults.append(f"kind: found {document.kind!r}; allowed: 'document'")
    if not document.catalogue.startswith(OWN_IDS):
        faults.append(f"catalogue: found {document.catalogue!r}; allowed: {OWN_IDS}1, {OWN_IDS}2 and so on")
    ours = [*catalogue(), *found]
    taken = {name for entry in ours for name in (entry.id, *(rule.id for rule in entry.rules))}
    if document.id in taken:
        faults.append(f"id: found {document.id!r}, another rule's; allowed: an id of its own")
    if document.catalogue in {entry.catalogue for entry in found}:
        faults.append(f"catalogue: found {document.catalogue!r} twice; allowed: each once")
    return faults


def _order(entry: RuleEntry) -> tuple[int, int]:
    return "GDLCXSM".index(entry.catalogue[0]), int(entry.catalogue[1:])


LIBRARY = Library()
