"""Words: figures and dates as people read them, in Swedish and English, with the same keys in both."""

import tomllib
from datetime import date
from functools import cache
from importlib import resources
from math import floor

from gateway.api.texts import Language, Texts
from gateway.api.texts import texts as page_texts
from gateway.pilot.figures import Figure

NARROW = "\u00a0"
"""Keeps a number and its unit on one line, and groups thousands."""
MINUS = "\u2212"


class Words:
    """The words of one language; called with a key and the values of its sentence."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._texts = _texts(language)
        self._pages = page_texts(language)

    def __call__(self, key: str, **values: object) -> str:
        """Return the sentence; KeyError for a key that the language does not have."""
        return self._texts(key, **values)

    def get(self, key: str, otherwise: str) -> str:
        """Return a word that may be unknown, as the name of a vendor's thing."""
        return self._texts.get(key, otherwise)

    def rule(self, name: str) -> str:
        """Return what staff see of a rule's alerts; its id where that sentence needs values."""
        found = self._pages.words.get(f"alert.{name}", "")
        return found if found and "{" not in found else name

    def number(self, value: float, decimals: int = 0) -> str:
        """Return a number with the language's comma and grouped thousands."""
        text = f"{abs(value):,.{decimals}f}".replace(",", NARROW)
        if self.language == "sv":
            text = text.replace(".", ",")
        return f"{MINUS}{text}" if value < 0 and float(f"{value:.{decimals}f}") != 0 else text

    def figure(self, figure: Figure | None) -> str:
        """Return a figure with its unit; a missing or hidden one in words."""
        if figure is not None and figure.hidden:
            return self("page.hidden")
        return self.value(None if figure is None else figure.value, "" if figure is None else figure.unit)

    def value(self, value: float | None, unit: str) -> str:
        """Return a value with its unit; None is missing."""
        if value is None:
            return self("page.missing")
        shown = {
            "percent": self._share,
            "seconds": self._span,
            "hours": self._hours,
            "days": self._days,
            "kr": self.money,
        }
        return shown.get(unit, self._plain)(value)

    def money(self, value: float) -> str:
        """Return kronor without more figures than assumptions can carry."""
        step = 1000 if abs(value) >= 10_000 else 100 if abs(value) >= 1000 else 10
        return f"{self.number(round(value / step) * step)}{NARROW}kr"

    def day(self, day: date) -> str:
        """Return a date in the order that ISO 8601 and Sweden have in common."""
        return day.isoformat()

    def _share(self, value: float) -> str:
        """Return per cent; what is not all is never shown as all, and what is not nothing not as nothing."""
        shown = min(value, 99.9) if value < 100 else value
        shown = max(shown, 0.1) if value > 0 else shown
        decimals = 0 if float(shown).is_integer() else 1
        return f"{self.number(shown, decimals)}{NARROW}%"

    def _plain(self, value: float) -> str:
        return self.number(value, 0 if float(value).is_integer() else 2 if abs(value) < 1 else 1)

    def _hours(self, value: float) -> str:
        return self._span(value * 3600) if value else f"0{NARROW}h"

    def _days(self, value: float) -> str:
        return self._count(floor(value), "dygn", "days")

    def _span(self, seconds: float) -> str:
        if seconds < 120:
            return f"{self.number(seconds, 1 if 0 < seconds < 10 else 0)}{NARROW}s"
        if seconds < 7200:
            return f"{self.number(seconds / 60, 1 if seconds < 600 else 0)}{NARROW}min"
        if seconds < 48 * 3600:
            return f"{self.number(seconds / 3600, 1)}{NARROW}h"
        return self._count(round(seconds / 86400), "dygn", "days")

    def _count(self, n: float, swedish: str, english: str) -> str:
        return f"{self.number(n)}{NARROW}{swedish if self.language == 'sv' else english}"


@cache
def _texts(language: Language) -> Texts:
    file = resources.files("gateway.pilot") / "texts" / f"{language}.toml"
    sections = tomllib.loads(file.read_text(encoding="utf-8"))
    words = {f"{name}.{key}": text for name, section in sections.items() for key, text in section.items()}
    return Texts(language, words)
