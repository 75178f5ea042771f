"""Predicate: the CEL guard of a rule behind our own interface, with limits the engine itself does not have.

Alert rules, sections 4b and 6.4: the engine has no budget and holds the interpreter while it runs, so
what could grow (comprehensions, macros, regular expressions, depth) is refused before it is compiled.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import cel

MAX_SOURCE = 2_000
"""Characters of one expression."""
MAX_DEPTH = 20
"""Brackets inside brackets."""
MAX_UNARY = 4
"""Signs of negation in a row."""
MAX_VARIANTS = 256
"""Programs kept of one expression: one for each set of numbers that people were given."""
CALLS = frozenset({"has", "size", "startsWith", "endsWith", "contains"})
"""The functions an expression may call by name."""
OPERATORS = frozenset(
    {
        *("_&&_", "_||_", "!_", "_?_:_", "@in", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"),
        *("_+_", "_-_", "_*_", "_/_", "_%_", "-_"),
        *CALLS,
    }
)
VARIABLES = frozenset(
    {
        *("event", "n", "local", "is_night", "device", "person", "home", "status", "minutes"),
        *("offline", "gone", "battery", "context", "plan"),
    }
)
"""What an expression may speak of; `rules.language.facts` says what each holds."""

_STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_NUMBER_NAME = re.compile(r"(?<![\w.])n\.([A-Za-z_]\w*)")
_NAME = re.compile(r"(?<![\w.])([a-z_]+)\b(?:\.([a-z_]\w*))?")
_EVENT_FIELD = re.compile(r"(?<![\w.])event\.([A-Za-z_]\w*)")
_GUARDED = re.compile(r"has\s*\(\s*event\.([A-Za-z_]\w*)\s*\)")
_LITERAL = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)")
_PLAIN_NUMBERS = frozenset({"0", "0.0", "1", "1.0"})
_UNARY = re.compile(rf"(?:[!-]\s*){{{MAX_UNARY + 1},}}")
_COMPILED = 512


class PredicateError(ValueError):
    """The expression is refused: what was found, and what is allowed instead."""


class Predicate:
    """One guarded expression. `numbers` are the names that `n.` may have.

    Made once at load; `holds` is called with a context that all predicates of one input share. Raises
    PredicateError when it is made of what is not allowed.
    """

    __slots__ = ("_programs", "needs", "numbers", "source")

    def __init__(self, source: str, numbers: Collection[str] = ()) -> None:
        bare = check_source(source)
        self.source = source
        self.numbers = tuple(sorted(set(_NUMBER_NAME.findall(bare))))
        if unknown := set(self.numbers) - set(numbers):
            raise _wrong(
                f"n.{min(unknown)}", f"a name under [numbers]: {', '.join(sorted(numbers)) or 'none'}"
            )
        self._programs: dict[tuple[float, ...], cel.Program] = {}
        _check_program(_compile(self._with(dict.fromkeys(self.numbers, 1.0))))
        self.needs = _needs(bare)

    def holds(self, context: cel.Context, numbers: Mapping[str, float]) -> bool:
        """Tell whether it holds; raises what the engine raises, and TypeError for an answer not yes or no."""
        key = tuple([numbers[name] for name in self.numbers])
        program = self._programs.get(key)
        if program is None:
            if len(self._programs) >= MAX_VARIANTS:
                self._programs.clear()
            program = self._programs[key] = _compile(self._with(numbers))
        answer = program.execute(context)
        if answer is not True and answer is not False:
            raise TypeError(f"the expression gave {type(answer).__name__}, not yes or no")
        return bool(answer)

    def _with(self, numbers: Mapping[str, float]) -> str:
        """Write the numbers in their places, so that one context serves every rule."""
        pieces, end = [], 0
        for string in _STRING.finditer(self.source):
            pieces += [_fill(self.source[end : string.start()], numbers), string.group()]
            end = string.end()
        return "".join([*pieces, _fill(self.source[end:], numbers)])


def check_source(source: str) -> str:
    """Return the expression without its strings; PredicateError for what must not reach the compiler."""
    if len(source) > MAX_SOURCE:
        raise _wrong(f"an expression of {len(source)} characters", f"at most {MAX_SOURCE}")
    bare = _STRING.sub("''", source)
    depth = deepest = 0
    for character in bare:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise _wrong(f"brackets {deepest} deep", f"at most {MAX_DEPTH}")
    if _UNARY.search(bare):
        raise _wrong("many signs of negation in a row", f"at most {MAX_UNARY}")
    for name in _CALL.findall(bare):
        if name not in CALLS and name != "in":
            raise _wrong(f"{name}(...)", ", ".join(sorted(CALLS)))
    return bare


def hidden_numbers(source: str) -> set[str]:
    """Return the numbers that stand in an expression itself, where nobody would look for a threshold."""
    return set(_LITERAL.findall(_STRING.sub("''", source))) - _PLAIN_NUMBERS


def event_fields(source: str) -> tuple[set[str], set[str]]:
    """Return the fields of the event that an expression reads, and those that it asks for with has()."""
    bare = _STRING.sub("''", source)
    return set(_EVENT_FIELD.findall(bare)), set(_GUARDED.findall(bare))


def _needs(bare: str) -> frozenset[str]:
    """Return what an expression asks for, as `status.lock` or `is_night`."""
    found = {f"{name}.{field}" if field else name for name, field in _NAME.findall(bare) if name in VARIABLES}
    return frozenset(need for need in found if not need.startswith("n."))


def _check_program(program: cel.Program) -> None:
    variables = frozenset(program.variables())
    if unknown := variables - VARIABLES:
        raise _wrong(f"the variable {min(unknown)!r}", ", ".join(sorted(VARIABLES)))
    if strange := set(program.functions()) - OPERATORS:
        raise _wrong(f"the operation {min(strange)!r}", "comparison, and, or, not, in, arithmetic, ? :")


def _fill(text: str, numbers: Mapping[str, float]) -> str:
    return _NUMBER_NAME.sub(lambda name: f"({float(numbers[name[1]])!r})", text)


@lru_cache(_COMPILED)
def _compile(source: str) -> cel.Program:
    """Compile; every fault of the engine, also its panic (which is no Exception), is a PredicateError."""
    try:
        return cel.compile(source)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - the panic of an extension is no Exception
        line = str(error).replace("\n", " ").partition("ERROR: ")[2] or type(error).__name__
        raise _wrong(f"{source[:60]!r} ({line[:100]})", "a CEL expression") from None


def _wrong(found: str, allowed: str) -> PredicateError:
    return PredicateError(f"found {found}; allowed: {allowed}")


def context_of(values: Mapping[str, Any]) -> cel.Context:
    """Return a context that holds these variables for every predicate of one input."""
    return cel.Context(dict(values))
