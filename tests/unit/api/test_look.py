"""The look, held by figures: contrast (WCAG 2.1, 1.4.3 and 1.4.11), nothing that the policy would block."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.api.view import MAX_SHOWN, first_of
from gateway.model.alert import Severity
from tests.unit.api.test_board import alert

API = Path(__file__).parents[3] / "gateway" / "api"
STATIC = API / "static"
TEMPLATES = sorted((API / "templates").glob("*.html"))
TEXT, SHAPE = 4.5, 3.0

GROUNDS = ("ground", "surface")
TONES = ("high", "medium", "low", "info")
PAIRS = [
    *[(ink, ground, TEXT) for ink in ("ink", "quiet", "link", "brand") for ground in GROUNDS],
    ("brand-ink", "brand", TEXT),
    *[(f"{tone}-ink", tone, TEXT) for tone in TONES],
    *[(tone, f"{tone}-ground", TEXT) for tone in TONES],
    ("high", "surface", TEXT),
    ("good", "good-ground", TEXT),
    ("ink", "info-ground", TEXT),
    ("ink", "high-ground", TEXT),
    *[(shape, ground, SHAPE) for shape in ("edge", "focus", "brand", *TONES) for ground in GROUNDS],
    ("good", "ground", SHAPE),
    ("focus", "high-ground", SHAPE),
]


def palettes() -> dict[str, dict[str, str]]:
    css = (STATIC / "vaka.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    colours = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in (light, dark)]
    return {"light": colours[0], "dark": colours[0] | colours[1]}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    r, g, b = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_contrast_formula_agrees_with_known_values() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_every_pair_of_colours_has_enough_contrast(scheme: str, front: str, back: str, least: float) -> None:
    colours = palettes()[scheme]
    assert contrast(colours[front], colours[back]) >= least


def test_both_schemes_name_every_colour_that_the_sheet_uses() -> None:
    css = (STATIC / "vaka.css").read_text(encoding="utf-8")
    used = set(re.findall(r"var\(--([a-z-]+)\)", css)) - {
        "tone",
        "tone-ink",
        "tone-ground",
        "shadow",
        "round",
    }
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    for block in (light, dark):
        assert used <= set(re.findall(r"--([a-z-]+):", block))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_no_template_needs_what_the_content_security_policy_forbids(template: Path) -> None:
    source = template.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|hx-on|javascript:|https?://", source)
    for script in re.findall(r"<script\b[^>]*>", source):
        assert "src=" in script


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_only_drawn_cards_are_trusted_as_html(template: Path) -> None:
    for expression in re.findall(r"\{\{([^}]*)\|\s*safe", template.read_text(encoding="utf-8")):
        assert expression.strip() == "card"


def test_every_symbol_that_a_template_names_exists() -> None:
    known = set(re.findall(r'symbol id="(\w+)"', (STATIC / "symbols.svg").read_text(encoding="utf-8")))
    named = set(re.findall(r"symbols\.svg'\] \}\}#(\w+)", "".join(t.read_text("utf-8") for t in TEMPLATES)))
    assert named
    assert named | {"high", "medium", "low", "info", "clock", "check", "stop", "dots"} <= known


def test_the_vendored_script_is_the_one_that_its_note_names() -> None:
    note = (STATIC / "README.md").read_text(encoding="utf-8")
    assert sha256((STATIC / "htmx.min.js").read_bytes()).hexdigest() in note
    assert 'version:"2.0.11"' in (STATIC / "htmx.min.js").read_text(encoding="utf-8")
    for file in STATIC.iterdir():
        assert file.name == "README.md" or f"`{file.name}`" in note


def test_a_page_shows_every_high_alert_and_says_how_many_others_it_leaves_out() -> None:
    high = [alert(f"h{n}", Severity.HIGH) for n in range(MAX_SHOWN + 10)]
    low = [alert(f"l{n}", Severity.LOW) for n in range(MAX_SHOWN)]
    assert len(first_of(high + low)) == MAX_SHOWN + 10
    assert len(first_of(high[:5] + low)) == MAX_SHOWN
    assert first_of(low[:3]) == low[:3]
