"""XML as a plain tree for adapters: no document type, no entity of the sender's, bounded depth and size."""

from collections.abc import Iterator
from xml.parsers import expat

import msgspec

MAX_DEPTH = 64
MAX_ELEMENTS = 20_000
"""Deeper or larger is refused: no device message comes near it."""


class Node(msgspec.Struct):
    """An element by its local name; namespace prefixes are dropped, its own text is joined and stripped."""

    name: str
    attributes: dict[str, str] = {}
    children: list["Node"] = []
    text: str = ""

    def each(self, *path: str) -> Iterator["Node"]:
        """Yield every element at a path of local names below this one."""
        if not path:
            yield self
            return
        for child in self.children:
            if child.name == path[0]:
                yield from child.each(*path[1:])

    def first(self, *path: str) -> "Node | None":
        """Return the first element at a path, or None."""
        return next(self.each(*path), None)

    def words(self, *path: str) -> str:
        """Return the text of the first element at a path, "" without one."""
        found = self.first(*path)
        return found.text if found else ""

    def value(self, *path: str) -> str:
        """Return the `value` attribute of the first element at a path, stripped, "" without one."""
        found = self.first(*path)
        return found.attributes.get("value", "").strip() if found else ""

    def everywhere(self, name: str) -> Iterator["Node"]:
        """Yield every element of a name at any depth, in document order."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.everywhere(name)


class _Builder:
    """Collects one document; raises ValueError for what is not allowed in it."""

    def __init__(self) -> None:
        self.root = Node("")
        self.open: list[tuple[Node, list[str]]] = [(self.root, [])]
        self.elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if len(self.open) > MAX_DEPTH or self.elements > MAX_ELEMENTS:
            raise ValueError("nested too deep or too many elements")
        node = Node(_local(name), {_local(key): value for key, value in attributes.items()}, [])
        self.open[-1][0].children.append(node)
        self.open.append((node, []))

    def end(self, _name: str) -> None:
        node, parts = self.open.pop()
        node.text = "".join(parts).strip()

    def data(self, text: str) -> None:
        self.open[-1][1].append(text)

    def doctype(self, *_found: object) -> None:
        raise ValueError("a document type is not allowed")


def read_markup(payload: bytes, *, fallback: str = "") -> Node:
    """Return the root of an XML document; ValueError says why not.

    `fallback` is an encoding tried when the bytes are not in the one that the document declares.
    """
    try:
        return _parse(payload, None)
    except ValueError:
        if not fallback:
            raise
    return _parse(payload, fallback)


def _parse(payload: bytes, encoding: str | None) -> Node:
    builder = _Builder()
    parser = expat.ParserCreate(encoding)
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = builder.doctype
    try:
        parser.Parse(payload.strip(), True)  # noqa: FBT003 - the library takes it by position only
    except expat.ExpatError as error:
        raise ValueError(f"not XML: {expat.ErrorString(error.code)} in line {error.lineno}") from None
    except LookupError:
        raise ValueError("not XML: unknown encoding") from None
    return builder.root.children[0]


def _local(name: str) -> str:
    return name.rpartition(":")[2]
