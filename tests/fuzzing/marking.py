"""Marks where a message holds words: each string of JSON, each text and attribute of XML, one at a time."""

import json
import re
from collections.abc import Iterator
from typing import Any

MARK = "Zsvq Mark-0701234567"
_TAG = re.compile(r"<(/?)(?:[\w.-]+:)?([\w.-]+)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*?)(/?)>")
_ATTRIBUTE = re.compile(r"(?:[\w.-]+:)?([\w.-]+)\s*=\s*(\"[^\"]*\"|'[^']*')")


def marked(payload: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the path of each word of a message, and the message with the mark in its place."""
    text = payload.decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, (dict, list)):
        for path, changed in _json(parsed, ""):
            yield path, json.dumps(changed).encode()
    elif text.lstrip().startswith("<"):
        yield from _xml(text)
    else:
        yield "", MARK.encode()


def _json(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for field, inner in node.items():
            below = f"{path}.{field}" if path else field
            yield from ((found, {**node, field: changed}) for found, changed in _json(inner, below))
    elif isinstance(node, list):
        for place, inner in enumerate(node):
            around = node[:place], node[place + 1 :]
            yield from ((at, [*around[0], changed, *around[1]]) for at, changed in _json(inner, path))
    elif isinstance(node, str):
        yield path, MARK
        if node[:1] in "{[":
            yield from ((at, json.dumps(json.loads(new))) for at, new in _inner(node, path))


def _inner(text: str, path: str) -> Iterator[tuple[str, str]]:
    """Look into an object that is written in a string, as integrations of ChirpStack 3 do."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return
    for at, changed in _json(parsed, path):
        yield at, json.dumps(changed)


def _xml(text: str) -> Iterator[tuple[str, bytes]]:
    open_tags: list[str] = []
    end = 0
    for tag in _TAG.finditer(text):
        between = text[end : tag.start()]
        if open_tags and between.strip():
            yield ".".join(open_tags), (text[:end] + MARK + text[tag.start() :]).encode()
        end = tag.end()
        if tag[1]:
            open_tags = open_tags[:-1]
            continue
        open_tags.append(tag[2])
        for found in _ATTRIBUTE.finditer(text, tag.start(3), tag.end(3)):
            path = ".".join([*open_tags, "@" + found[1]])
            yield path, (text[: found.start(2)] + f'"{MARK}"' + text[found.end(2) :]).encode()
        if tag[4]:
            open_tags.pop()


def injected(payload: bytes, path: str) -> Iterator[bytes]:
    """Yield a JSON message with the marked field put into it, at each place where its parent stands."""
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError):
        return
    *parents, field = path.split(".")
    for changed in _put(parsed, (), tuple(parents), field):
        yield json.dumps(changed).encode()


def _put(node: Any, path: tuple[str, ...], parents: tuple[str, ...], field: str) -> Iterator[Any]:
    if isinstance(node, list):
        for place, inner in enumerate(node):
            for changed in _put(inner, path, parents, field):
                yield [*node[:place], changed, *node[place + 1 :]]
    if not isinstance(node, dict):
        return
    if path[len(path) - len(parents) :] == parents:
        for value in (MARK, {"a": MARK}, [MARK, 0.9]):
            yield {**node, field: value}
    for name, inner in node.items():
        for changed in _put(inner, (*path, name), parents, field):
            yield {**node, name: changed}


def within(listed: str, path: str) -> bool:
    """Tell whether a listed path stands, name by name, somewhere in the path of a word."""
    wanted, steps = listed.split("."), path.split(".")
    return any(steps[at : at + len(wanted)] == wanted for at in range(len(steps)))


def replaced(payload: bytes, pattern: str) -> Iterator[bytes]:
    """Yield a line with the mark in place of the first group of each match of a pattern."""
    text = payload.decode("iso-8859-1")
    for found in re.finditer(pattern, text):
        yield (text[: found.start(1)] + MARK + text[found.end(1) :]).encode("iso-8859-1")
