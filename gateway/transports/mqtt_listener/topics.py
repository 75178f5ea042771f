"""Topic names and filters (MQTT 5.0 section 4.7): what matches, what lies within what, and who listens."""

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

WILDCARDS = frozenset("+#")


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a topic name matches a filter."""
    return covers(topic_filter, topic)


def covers(outer: str, inner: str) -> bool:
    """Tell whether everything that `inner` (a filter or a name) can match is matched by `outer`."""
    if outer == inner:
        return True
    if inner[:1] == "$" and outer[:1] in WILDCARDS:
        return False
    outside = outer.split("/")
    inside = inner.split("/")
    for place, level in enumerate(outside):
        if level == "#":
            return True
        if place >= len(inside) or inside[place] == "#":
            return False
        if level not in ("+", inside[place]):
            return False
    return len(outside) == len(inside)


class _Node(Generic[T]):
    __slots__ = ("children", "here")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.here: dict[str, T] = {}


class FilterTree(Generic[T]):
    """Filters by their levels, so that a topic finds its listeners without asking every session."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, topic_filter: str, key: str, value: T) -> None:
        """Put a value under a filter; the same key again replaces it."""
        node = self._root
        for level in topic_filter.split("/"):
            node = node.children.setdefault(level, _Node())
        node.here[key] = value

    def discard(self, topic_filter: str, key: str) -> None:
        """Take the key from a filter, and the branches that this leaves empty."""
        path = [(self._root, "")]
        for level in topic_filter.split("/"):
            child = path[-1][0].children.get(level)
            if child is None:
                return
            path.append((child, level))
        path[-1][0].here.pop(key, None)
        for (parent, _), (child, level) in zip(path[-2::-1], path[:0:-1], strict=True):
            if child.here or child.children:
                return
            del parent.children[level]

    def find(self, topic: str) -> Iterator[tuple[str, T]]:
        """Return every (key, value) whose filter matches the topic name."""
        yield from self._find(self._root, topic.split("/"), 0)

    def _find(self, node: _Node[T], levels: list[str], place: int) -> Iterator[tuple[str, T]]:
        wild = place > 0 or levels[0][:1] != "$"
        if wild and "#" in node.children:
            yield from node.children["#"].here.items()
        if place == len(levels):
            yield from node.here.items()
            return
        for level in {levels[place], "+"} if wild else {levels[place]}:
            if level in node.children:
                yield from self._find(node.children[level], levels, place + 1)
