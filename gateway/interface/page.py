"""The page in HTML: one file that needs nothing beside it, no script, readable on paper."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape

from markdown_it import MarkdownIt
from markdown_it.token import Token

from gateway.interface.prose import slug

STYLE = """
:root{color-scheme:light dark;--line:#8a8f98;--soft:#f3f4f6;--link:#0b4a8f}
@media(prefers-color-scheme:dark){:root{--soft:#22252b;--link:#9cc7ff}}
body{font:1rem/1.55 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1rem;
overflow-wrap:break-word}
a{color:var(--link)}a:focus-visible,div:focus-visible{outline:3px solid var(--link);outline-offset:2px}
h1,h2,h3,h4{line-height:1.25;margin:1.8em 0 .5em}h4{font-family:ui-monospace,monospace}
code,pre{font-family:ui-monospace,monospace;font-size:.92em}code{overflow-wrap:anywhere}
pre{background:var(--soft);padding:.8rem;overflow-x:auto}pre code{overflow-wrap:normal}
.scroll{overflow-x:auto}table{border-collapse:collapse;margin:.6rem 0}
th,td{border:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top}
th{background:var(--soft)}
td:first-child code{overflow-wrap:normal}
td:nth-child(n+4):last-child{min-width:14rem}
nav ul{columns:18rem;padding-left:1.2rem}.skip{position:absolute;left:-99rem}.skip:focus{position:static}
@media print{nav{display:none}pre{white-space:pre-wrap}}
"""

STYLE_HASH = f"sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}"
"""The style's digest as a content security policy names it."""

_FITTED = {
    "<table>": '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>',
    "</table>": "</table></div>",
    "<th>": '<th scope="col">',
    "<pre>": '<pre tabindex="0">',
    '.md"': '.html"',
}
"""What is wide can be scrolled by keyboard, and a link leads to the page beside instead of its source."""

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def html(markdown: str) -> str:
    """Return a Markdown document as a page of its own, with contents from its headings."""
    tokens = _MARKDOWN.parse(markdown)
    headings = _anchored(tokens)
    title = headings[0][2] if headings else ""
    body = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    for before, after in _FITTED.items():
        body = body.replace(before, after)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
        f'<a class="skip" href="#content">To the content</a>\n{_contents(headings)}'
        f'<main id="content">\n{body}</main></body></html>\n'
    )


def _anchored(tokens: Sequence[Token]) -> list[tuple[int, str, str]]:
    """Give every heading its anchor; return level, anchor and text of each."""
    found: list[tuple[int, str, str]] = []
    taken: set[str] = set()
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            text = tokens[place + 1].content
            anchor = slug(text)
            while anchor in taken:
                anchor += "-"
            taken.add(anchor)
            token.attrSet("id", anchor)
            found.append((int(token.tag[1]), anchor, text))
    return found


def _contents(headings: Sequence[tuple[int, str, str]]) -> str:
    chapters = [(anchor, text) for level, anchor, text in headings if level == 2]
    if len(chapters) < 3:
        return ""
    lines = "".join(f'<li><a href="#{anchor}">{escape(text)}</a></li>' for anchor, text in chapters)
    return f'<nav aria-label="Contents"><ul>{lines}</ul></nav>\n'
