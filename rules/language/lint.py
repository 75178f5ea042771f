"""Lint: one line a fault of a rule's document: its key, what was found, what is allowed."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from pydantic import ValidationError

from gateway.contract import RuleState
from gateway.contract.library import Vector
from gateway.model.vocabulary import VOCABULARY, DeviceKind, Values
from rules.language.document import ANY, Document, Match, Trigger
from rules.language.facts import ALWAYS_THERE, ANSWERS, WORKED_OUT
from rules.language.predicate import Predicate, PredicateError, event_fields, hidden_numbers

MAX_FILE = 100_000
"""Characters of a rule's file."""
MAX_BRACKETS = 40
"""Brackets and dotted keys inside each other in a file: its parser works its way down by recursion."""
MAX_SHOWN = 80


def parse(text: str) -> tuple[Document | None, list[str]]:
    """Read one document; return it and no fault, or what is wrong with it, one line a fault."""
    if fault := _too_much(text):
        return None, [fault]
    try:
        told = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return None, [f"file: found no TOML ({_short(str(error))}); allowed: TOML 1.0"]
    try:
        document = Document.model_validate(told)
    except ValidationError as error:
        return None, [_fault(fault, told) for fault in error.errors()]
    faults = list(_faults(document))
    return (None, faults) if faults else (document, [])


def _too_much(text: str) -> str:
    if len(text) > MAX_FILE:
        return f"file: found {len(text)} characters; allowed: at most {MAX_FILE}"
    depth = deepest = 0
    for character in text:
        depth = max(depth + (character in "[{") - (character in "]}"), 0)
        deepest = max(deepest, depth)
    dotted = max((line.partition("=")[0].count(".") for line in text.splitlines()), default=0)
    if max(deepest, dotted) > MAX_BRACKETS:
        return f"file: found tables {max(deepest, dotted)} deep; allowed: at most {MAX_BRACKETS}"
    return ""


def _faults(document: Document) -> Iterator[str]:
    for kind in document.devices:
        if kind not in set(DeviceKind):
            yield f"devices: found {kind!r}; allowed: {', '.join(DeviceKind)}"
    if document.state is not RuleState.DRAFT:
        yield from _vectors(document)
    for number, trigger in enumerate(document.trigger):
        key = f"trigger.{number}"
        yield from _names(document, trigger, key)
        for where, on, when in _guards(trigger):
            yield from _types(f"{key}.{where}", on)
            if when is not None:
                yield from _guard(f"{key}.{where}", on, when, document.numbers)
    yield from _unused(document)


def _vectors(document: Document) -> Iterator[str]:
    """A rule in force or in shadow shows with vectors of its own that it fires, and that it does not."""
    if document.kind == "built_in":
        if not document.fires_in or not document.silent_in:
            yield "fires_in, silent_in: found nothing; allowed: the tests of a built_in rule, file::test"
        return
    for number, vector in enumerate(document.vectors):
        try:
            msgspec.convert(vector, Vector)
        except msgspec.ValidationError as error:
            yield f"vectors.{number}: found {_short(str(error))}; allowed: what the language of vectors has"
            return
    for fires in (True, False):
        if not any(vector.get("fires") is fires for vector in document.vectors):
            word = "true" if fires else "false"
            yield f"vectors: found none with fires = {word}; allowed: at least one of each"


def _names(document: Document, trigger: Trigger, key: str) -> Iterator[str]:
    """Every number that a trigger speaks of must be there."""
    for where, name in _numbers(trigger):
        if name not in document.numbers:
            allowed = ", ".join(document.numbers) or "none"
            yield f"{key}.{where}: found {name!r}; allowed: a name under [numbers]: {allowed}"
    if trigger.correlate is not None and document.subject != "home":
        yield f"subject: found {document.subject!r}; allowed: 'home' where devices are correlated"


def _numbers(trigger: Trigger) -> Iterator[tuple[str, str]]:
    told = trigger.model_dump(by_alias=True, exclude_none=True)
    yield "accept", trigger.accept
    for name in ("for", "keep_for"):
        if name in told:
            yield name, told[name]
    for part, names in _PARTS.items():
        for name in names:
            if name in told.get(part, {}):
                yield f"{part}.{name}", told[part][name]
    for number, step in enumerate(trigger.escalate_if):
        for name, value in (("after", step.after), ("accept", step.accept)):
            if value is not None:
                yield f"escalate_if.{number}.{name}", value


_PARTS = {
    "absent": ("within", "plus", "since"),
    "count": ("n", "window"),
    "sequence": ("within",),
    "hysteresis": ("on", "off"),
    "correlate": ("within",),
}


def _unused(document: Document) -> Iterator[str]:
    """A number that nothing reads would be turned without effect. Those of Python rules are read by name."""
    if document.kind != "document":
        return
    used = {name for trigger in document.trigger for _, name in _numbers(trigger)}
    used |= {
        name
        for trigger in document.trigger
        for _, _, when in _guards(trigger)
        if when is not None
        for name in document.numbers
        if f"n.{name}" in when
    }
    for name in set(document.numbers) - used:
        yield f"numbers.{name}: found a number that nothing reads; allowed: one that a trigger names"


def _guards(trigger: Trigger) -> Iterator[tuple[str, tuple[str, ...], str | None]]:
    """Yield where a guard stands, the event types it is asked for, and its expression."""
    yield "when", trigger.on, trigger.when
    yield "still", (), trigger.still
    absent = trigger.absent
    if absent is not None:
        yield "absent.when", absent.on, absent.when
    matches: list[tuple[str, Match | None]] = [("until", trigger.until)]
    matches += [("count.reset", trigger.count.reset)] if trigger.count else []
    matches += [("sequence.then", trigger.sequence.then)] if trigger.sequence else []
    matches += [("correlate.with", one) for one in (trigger.correlate.with_ if trigger.correlate else ())]
    for where, match in matches:
        if match is not None:
            yield f"{where}.when", match.on, match.when
    for step in trigger.escalate_if:
        yield "escalate_if.when", step.on, step.when


def _types(key: str, on: tuple[str, ...]) -> Iterator[str]:
    for name in on:
        if name not in VOCABULARY and name != ANY:
            near = [word for word in VOCABULARY if word.partition(".")[0] == name.partition(".")[0]]
            allowed = ", ".join(near or VOCABULARY)[: MAX_SHOWN * 2]
            yield f"{key.rpartition('.')[0]}.on: found {name!r}; allowed: {allowed}"


def _guard(key: str, on: tuple[str, ...], when: str, numbers: Mapping[str, float]) -> Iterator[str]:
    try:
        needs = Predicate(when, tuple(numbers)).needs
    except PredicateError as error:
        yield f"{key}: {error}"
        return
    for need in sorted(need for need in needs if not need.startswith("event.") and need not in ANSWERS):
        near = [name for name in ANSWERS if name.partition(".")[0] == need.partition(".")[0]]
        yield f"{key}: found {need}; allowed: {', '.join(near) or 'event.<field>'}"
    for number in sorted(hidden_numbers(when)):
        yield f"{key}: found the number {number}; allowed: n.<name>, with the number under [numbers]"
    read, guarded = event_fields(when)
    if not on and read:
        yield f"{key}: found event.{min(read)}; allowed: no event where a timer is judged"
        return
    known = _fields(on)
    for name in sorted(read - ALWAYS_THERE):
        if name not in known:
            yield f"{key}: found event.{name}; allowed: {', '.join(sorted(known | ALWAYS_THERE))}"
        elif name not in guarded and not _always(on, name):
            yield f"{key}: found event.{name}, which may be missing; allowed: has(event.{name}) && ..."


def _fields(on: tuple[str, ...]) -> set[str]:
    types: set[type[Values]] = {VOCABULARY[name].values for name in on if name in VOCABULARY} or {Values}
    names = {field.name for values in types for field in msgspec.structs.fields(values)} - {"details"}
    return names | (WORKED_OUT if "latitude" in names else frozenset())


def _always(on: tuple[str, ...], name: str) -> bool:
    """Tell whether a field is there in every event of these types: it has no default."""
    for event_type in on:
        word = VOCABULARY.get(event_type)
        found = {} if word is None else {field.name: field for field in msgspec.structs.fields(word.values)}
        if name not in found or not found[name].required:
            return False
    return True


def _fault(fault: Any, told: Any) -> str:
    """Return one fault of the form as one line."""
    keys = ".".join(str(part) for part in fault["loc"]) or "file"
    found = fault["input"]
    if fault["type"] == "extra_forbidden":
        return f"{keys}: found an unknown key; allowed: {_allowed(told, fault['loc'])}"
    if fault["type"] == "missing":
        return f"{keys}: found nothing; allowed: a value"
    shown = f"a {type(found).__name__}" if isinstance(found, dict | list) else _short(repr(found))
    return f"{keys}: found {shown}; allowed: {_short(fault['msg'].removeprefix('Value error, '))}"


def _allowed(told: Any, loc: tuple[Any, ...]) -> str:  # noqa: ARG001 - one signature for faults
    model: Any = {"trigger": Trigger}.get(str(loc[0]), Document) if len(loc) < 4 else None
    if model is None:
        return "the keys of the rule language"
    names = [field.alias or name for name, field in model.model_fields.items()]
    return _short(", ".join(names), 300)


def _short(text: str, most: int = MAX_SHOWN) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}..."
