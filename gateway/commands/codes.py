"""`vaka codes`: what a code of another standard means here, and what that is called elsewhere."""

import json
from typing import Annotated

import typer

from gateway.commands.people_app import Plainly
from gateway.contract import VakaError
from gateway.model.codes import CODE_MAP
from gateway.model.codes.maps import Standard, map_of, words_for


def add_commands(app: typer.Typer, plainly: Plainly) -> None:
    """Add the word; `plainly` turns an error that the user can act on into a line and an exit code."""
    app.command()(plainly(codes))


def codes(
    code: Annotated[str, typer.Argument(help="A code, or a word of the vocabulary as alarm.manual.")],
    of: Annotated[Standard | None, typer.Option(help="The standard of the code; none for a word.")] = None,
    into: Annotated[Standard | None, typer.Option(help="Only this standard; all without.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of lines.")] = False,
) -> None:
    """Look a code up in the published maps, both ways.

    A SCAIP code is dty/stc or dty/stc/lco; Contact ID is E or R and the event.
    """
    words = _words(code, of)
    wanted = [into] if into else [one for one in Standard if one is not of]
    found = {word: {one.value: list(map_of(one).codes.get(word, ())) for one in wanted} for word in words}
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for word, theirs in found.items():
        typer.echo(word)
        for one in wanted:
            told = ", ".join(theirs[one.value]) or f"none: {map_of(one).words_without_code.get(word, '')}"
            typer.echo(f"  {one.value:<11} {told}")


def _words(code: str, of: Standard | None) -> tuple[str, ...]:
    if of is None:
        if code not in CODE_MAP.word:
            allowed = "a word of the vocabulary, or --of with the standard of the code"
            raise VakaError(f"codes: found {code!r}; allowed: {allowed}")
        return (code,)
    words = words_for(of, code)
    if not words:
        name = map_of(of).codes_without_word.get(code)
        what = f"which has no word here ({name})" if name else "which the map does not have"
        raise VakaError(f"codes: found {of.value} {code!r}, {what}; allowed: see the code maps")
    return words
