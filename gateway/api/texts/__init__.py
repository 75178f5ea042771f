"""All words that people read, in Swedish and English, with the same keys in both."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

from gateway.model.alert import Alert

Language = Literal["sv", "en"]
LANGUAGES: tuple[Language, ...] = ("sv", "en")


class _Lenient(dict[str, Any]):
    """Values of a sentence: one that is missing leaves a dash, so that the sentence is still shown."""

    def __missing__(self, key: str) -> str:
        return "–"  # noqa: RUF001 - a dash as people read it


class Texts:
    """The words of one language; called with a key and the values of its sentence."""

    def __init__(self, language: Language, words: dict[str, str]) -> None:
        self.language = language
        self.words = words

    def __call__(self, key: str, **values: object) -> str:
        """Return the sentence; KeyError for a key that the language does not have."""
        return self.words[key].format_map(_Lenient(values))

    def get(self, key: str, otherwise: str) -> str:
        """Return a word that may be unknown, as the name of a vendor's or a later version's thing."""
        return self.words.get(key, otherwise)

    def filled(self, key: str, values: Mapping[str, object], otherwise: str) -> str:
        """Return the sentence of a key that may be unknown, with its values; `otherwise` as it is."""
        sentence = self.words.get(key)
        return otherwise if sentence is None else sentence.format_map(_Lenient(values))

    def alert(self, alert: Alert) -> str:
        """Return the sentence of an alert; an unknown text falls back to the rule's id."""
        sentence = self.words.get(f"alert.{alert.text}")
        return alert.rule if sentence is None else sentence.format_map(_Lenient(alert.values))

    def routine(self, alert: Alert) -> str:
        """Return what the routine says to do about an alert, empty where there is none."""
        return self.words.get(f"routine.{alert.text}", "")

    def age(self, seconds: float) -> str:
        """Return how long ago, in words."""
        if seconds < -60:
            return self("age.ahead")
        if seconds < 60:
            return self("age.now")
        unit, n = _largest(seconds)
        return self(f"age.{unit}s", n=n)

    def span(self, seconds: float) -> str:
        """Return a length of time in words, at least a minute."""
        unit, n = _largest(seconds)
        return self(f"span.{unit}" if n == 1 else f"span.{unit}s", n=n)


def _largest(seconds: float) -> tuple[str, int]:
    minutes = max(1, int(seconds // 60))
    if minutes < 120:
        return "minute", minutes
    hours = minutes // 60
    return ("hour", hours) if hours < 48 else ("day", hours // 24)


@cache
def texts(language: Language) -> Texts:
    """Return the words of a language: those beside this module, and what installed rules bring for theirs."""
    words: dict[str, str] = {}
    for entry in entry_points(group="vaka.texts"):
        words |= entry.load()()[language]
    file = Path(__file__).parent / f"{language}.toml"
    sections = tomllib.loads(file.read_text(encoding="utf-8"))
    words |= {f"{name}.{key}": text for name, section in sections.items() for key, text in section.items()}
    return Texts(language, words)


def learn(book: Mapping[str, Mapping[str, str]]) -> None:
    """Take the words of rules that came later, as a municipality's own; what is known already stays."""
    for language in LANGUAGES:
        known = texts(language).words
        known |= {key: text for key, text in book.get(language, {}).items() if key not in known}


def choose(asked: str | None, default: Language) -> Language:
    """Return the asked language when we speak it."""
    return asked if asked in LANGUAGES else default
