"""Value templates, as far as they are safe: a path into the payload, a few filters; nothing is run."""

import re
from typing import Any

import msgspec

MAX_LENGTH = 200
_WHOLE = re.compile(r"\s*\{\{-?\s*(?P<path>value(?:_json)?[^|{}]*?)\s*(?P<filters>(?:\|[^|{}]*)*)-?\}\}\s*\Z")
_STEP = re.compile(
    r"\.(?P<name>[A-Za-z_]\w*)|\[\s*(?:'(?P<one>[^'\]]*)'|\"(?P<two>[^\"\]]*)\"|(?P<place>\d{1,4}))\s*\]"
)
_FILTERS = frozenset({"int", "float", "string", "upper", "lower", "trim", "is_defined"})

Steps = tuple[str | int, ...]


class Template(msgspec.Struct, frozen=True, gc=False):
    """A template that can be followed: the steps into the payload, None for the payload as it is."""

    steps: Steps | None = None
    filters: tuple[str, ...] = ()

    def value(self, payload: str) -> str | None:
        """Return what it finds in a payload as text, None when it finds nothing."""
        found: Any = payload
        if self.steps is not None:
            try:
                found = msgspec.json.decode(payload)
            except (msgspec.DecodeError, RecursionError):
                return None
            for step in self.steps:
                found = _into(found, step)
        return None if found is None or isinstance(found, dict | list) else self._text(found)

    def _text(self, found: Any) -> str:
        text = str(found)  # as Jinja writes it: True and False with a capital
        for name in self.filters:
            text = {"upper": text.upper, "lower": text.lower, "trim": text.strip}.get(name, text.__str__)()
        return text


AS_IT_IS = Template()


def compiled(text: str) -> Template | None:
    """Return the template if it is of the safe kind, None if not."""
    match = _WHOLE.match(text) if len(text) <= MAX_LENGTH else None
    if match is None:
        return None
    filters = tuple(part.strip() for part in match["filters"].split("|")[1:])
    steps = _steps(match["path"])
    if steps is None or not _FILTERS.issuperset(filters):
        return None
    if match["path"].startswith("value_json"):
        return Template(steps, filters)
    return Template(None, filters) if not steps else None


def _steps(path: str) -> Steps | None:
    rest = path.removeprefix("value_json") if path.startswith("value_json") else path.removeprefix("value")
    found: list[str | int] = []
    while rest:
        match = _STEP.match(rest)
        if match is None:
            return None
        name = match["name"] or match["one"] or match["two"]
        found.append(int(match["place"]) if match["place"] else name or "")
        rest = rest[match.end() :]
    return tuple(found)


def _into(found: Any, step: str | int) -> Any:
    if isinstance(found, dict) and isinstance(step, str):
        return found.get(step)
    if isinstance(found, list) and isinstance(step, int):
        return found[step] if step < len(found) else None
    return None
