"""The code maps as documents: a file a standard, and a page that says what does not map."""

import json
from collections.abc import Iterator, Mapping

import msgspec

from gateway.model.codes.maps import SOURCES, Standard, map_of

FOLDER = "codes"
HEAD = """# Code maps

The words of the [open device interface](../index.md) in the codes of neighbouring standards, both ways, as
data. In each file `words` gives what a code may mean, `codes` the codes of a word (the first is the one to
write), `read_as` codes that are read as a word and never written, `words_without_code` and
`codes_without_word` what does not map. A code may mean several words, and a word may have several codes: a
translation by way of the vocabulary tells all. `vaka codes` looks codes up.

Panels' codes (SIA, Contact ID) are of burglar and fire alarms: they have none for most of what happens in
care.

| standard | source | words with a code | codes with a word | read only | words without | codes without |
|---|---|---|---|---|---|---|"""


def map_documents() -> Mapping[str, str]:
    """Return the maps as JSON by path, and their page in Markdown."""
    found = {
        f"{FOLDER}/{standard.value}.json": json.dumps(
            msgspec.to_builtins(map_of(standard)), ensure_ascii=False, indent=1
        )
        + "\n"
        for standard in Standard
    }
    return found | {f"{FOLDER}/index.md": "\n".join(_page())}


def _page() -> Iterator[str]:
    yield HEAD
    for standard in Standard:
        one = map_of(standard)
        counts = (one.codes, one.words, one.read_as, one.words_without_code, one.codes_without_word)
        figures = " | ".join(str(len(found)) for found in counts)
        yield f"| [{standard.value}]({standard.value}.json) | {SOURCES[standard]} | {figures} |"
    for standard in Standard:
        one = map_of(standard)
        if not (one.words_without_code or one.codes_without_word):
            continue
        yield f"\n## {standard.value}: what does not map\n"
        for reason in sorted(set(one.words_without_code.values())):
            words = [f"`{word}`" for word, why in one.words_without_code.items() if why == reason]
            yield f"- {', '.join(words)}: {reason}."
        if one.codes_without_word:
            told = [f"`{code}` {name}" for code, name in one.codes_without_word.items()]
            plain = len(set(one.codes_without_word.values())) == 1
            shown = [f"`{code}`" for code in one.codes_without_word] if plain else told
            yield f"- Codes without a word: {', '.join(shown)}."
    yield ""
