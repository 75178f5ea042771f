"""The page in Markdown: the version's template with everything that the code knows filled in."""

import json
from typing import Any

from jinja2 import Environment, StrictUndefined

from gateway.config import ListenerSettings
from gateway.interface.examples import event_examples, message_examples
from gateway.interface.tables import clause_chapters, code_line, code_words, field_table, inline
from gateway.interface.version import Version
from gateway.model.codes import codes_for
from gateway.model.frame import MAX_PAYLOAD_BYTES
from gateway.model.vocabulary import VOCABULARY, EventType, Values
from gateway.model.wire import MAX_BATCH, MAX_LIST, MEASUREMENTS

_TOPICS = (
    ("event", "device", "1", "no", "one happening"),
    ("status", "device", "1", "yes", "connection, firmware, battery, applied configuration; the last will"),
    ("telemetry", "device", "0 or 1", "no", "measurements in batches"),
    ("command", "gateway", "1", "no", "a command with expiry, and a grant where it needs one"),
    ("result", "device", "1", "no", "the outcome of a command"),
    ("config", "gateway", "1", "yes", "the whole desired configuration"),
)


def markdown(version: Version) -> str:
    """Return the page of a version."""
    environment = Environment(  # noqa: S701 - Markdown, not HTML: nothing here comes from outside
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    text = environment.from_string(version.template).render(_context(version))
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _context(version: Version) -> dict[str, Any]:
    wire = {word.name: version.wire(word) for _, word, _ in version.words()}
    columns = ("branch", "who", "qos", "retained", "content")
    listener = ListenerSettings()
    return {
        "about": version.about,
        "quick": {name: text.rstrip() for name, text in version.quick.items()},
        "limits": {
            "payload": MAX_PAYLOAD_BYTES,
            "batch": MAX_BATCH,
            "list": MAX_LIST,
            "receive": listener.receive_maximum,
            "queued": listener.max_queued,
        },
        "topics": [dict(zip(columns, row, strict=True)) for row in _TOPICS],
        "wire": wire,
        "json": _examples(version),
        "table": lambda name: field_table(version, Values if name == "Values" else version.message(name)),
        "groups": _groups(version, wire),
        "measurements": ", ".join(f"`{wire[name]}`" for name in sorted(MEASUREMENTS)),
        "clauses": clause_chapters(version.clauses),
        "map": [{"wire": kind, **code_words(codes_for(name))} for name, kind in wire.items()],
    }


def _examples(version: Version) -> dict[str, str]:
    found = {**message_examples(version), "event": event_examples(version)["lock.unlocked"]}
    return {name: json.dumps(body, indent=2, ensure_ascii=False) for name, body in found.items()}


def _groups(version: Version, wire: dict[str, str]) -> list[dict[str, Any]]:
    """Return the words by group; a table of fields is written where it first comes, then referred to."""
    first: dict[type[Values], str] = {}
    groups: dict[str, dict[str, Any]] = {}
    for group, word, text in version.words():
        seen = first.setdefault(word.values, word.name)
        table = field_table(version, word.values, leave_out=Values)
        codes = code_line(word.name)
        told = {
            "wire": wire[word.name],
            "text": text.text + _level(word, wire),
            "fields": table if seen == word.name else f"Fields: as [{wire[seen]}](#{slug(wire[seen])}).",
            "example": inline(text.example),
            "codes": f"\nIn other standards: {codes}." if codes else "",
        }
        place = groups.setdefault(
            group.title, {"title": group.title, "kinds": _kinds(group.kinds), "words": []}
        )
        place["words"].append(told)
    return list(groups.values())


def _kinds(kinds: tuple[str, ...]) -> str:
    return ", ".join(kind if " " in kind else f"`{kind}`" for kind in kinds)


def _level(word: EventType, wire: dict[str, str]) -> str:
    """Say whether a word is a level, and which others it excludes."""
    others = [one.name for one in VOCABULARY.values() if one.slot == word.slot and one.name != word.name]
    names = ", ".join(f"`{wire[name]}`" for name in others if word.slot and name in wire)
    lasts = " Stays true until its opposite is sent." if word.condition else ""
    return lasts + (f" Excludes {names}: only the latest is true." if names else "")


def slug(heading: str) -> str:
    """Return the anchor of a heading: small letters and digits, joined by hyphens."""
    kept = "".join(one if one.isalnum() else " " for one in heading.lower())
    return "-".join(kept.split())
