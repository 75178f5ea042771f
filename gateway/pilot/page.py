"""Page: the report as one HTML file that needs nothing else, and as data for machines."""

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import to_builtins

from gateway.api.texts import Language
from gateway.pilot.ask import BASE, QUERIES, query, question
from gateway.pilot.figures import Figures
from gateway.pilot.sections import sections
from gateway.pilot.summary import summary
from gateway.pilot.tables import Teller
from gateway.pilot.words import Words

FORM = 1
PAGES = Environment(
    loader=PackageLoader("gateway.pilot", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""The templates of everything that a pilot's figures are shown as."""


def as_html(figures: Figures, language: Language, data_file: str) -> str:
    """Return the page; the same figures give the same bytes."""
    words = Words(language)
    teller = Teller(figures, words)
    scope = figures.scope
    values = {
        "t": words,
        "lang": language,
        "pilot": scope.pilot,
        "running": not scope.over,
        "since": words.day(scope.pilot.first_day),
        "until": words.day(scope.last_day),
        "homes": words.figure(figures.get("scope", "homes")),
        "devices": words.number(
            sum(figures.value("scope", "devices", one) or 0 for one in products(figures))
        ),
        "products": ", ".join(products(figures)),
        "tiles": summary(teller),
        "sections": sections(teller, data_file),
    }
    return PAGES.get_template("report.html").render(values)


def as_data(figures: Figures) -> bytes:
    """Return every figure with its unit, its query and the rows behind it, and the queries themselves."""
    scope = figures.scope
    document = {
        "form": FORM,
        "pilot": scope.pilot.id,
        "name": scope.pilot.name,
        "since": scope.since,
        "until": scope.until,
        "over": scope.over,
        "promise": scope.pilot.promise and to_builtins(scope.pilot.promise),
        "baseline": [to_builtins(one) for one in scope.pilot.baseline],
        "assumptions": [to_builtins(one) for one in scope.pilot.assumption],
        "figures": figures.all,
        "queries": {name: {"asks": question(name), "sql": query(name)} for name in (BASE, *QUERIES)},
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def products(figures: Figures) -> list[str]:
    """Return the pilot's products."""
    return figures.subjects("scope", "devices")
