"""Maps: one word of the vocabulary in each neighbouring standard, both ways, and what does not map."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache

import msgspec

from gateway.model.codes import CODE_MAP, Scaip
from gateway.model.codes.sia import FIRST_EVENT, LAST_EVENT, NEW, PANELS, RESTORED, contact_word


class Standard(StrEnum):
    """A neighbour's code system, as files and commands name it.

    SCAIP codes are `dty/stc` or `dty/stc/lco`, `any` for whatever device reports; IEEE 11073 the 32-bit
    term or `status:` and a bit of 10471; VKP `alert:`, `dispensing:` or `handling:` and the code; FHIR the
    R4 resource; Contact ID `E` or `R` and the event.
    """

    SCAIP = "scaip"
    IEEE_11073 = "11073"
    VKP = "vkp"
    FHIR = "fhir"
    SIA = "sia"
    CONTACT_ID = "contact-id"


SOURCES = {
    Standard.SCAIP: "SS 91100:2014 as deployed units speak it; TS 50134-9:2018 is backward compatible",
    Standard.IEEE_11073: "IEEE 11073-10471 and 11073-10472, partition 130",
    Standard.VKP: "Norway's VKP, alert codes 0.9.0",
    Standard.FHIR: "HL7 FHIR R4 (4.0.1)",
    Standard.SIA: "ANSI/SIA DC-03-1990.01, annex A",
    Standard.CONTACT_ID: "SIA DC-05-1999.09",
}
ANY = "any"
AUTOMATIC = "0009"
"""SCAIP's automatic alarm, whose device type says of what."""
PANEL = "alarm panels have no code for it"
_REASONS = {
    Standard.SCAIP: "scaip",
    Standard.IEEE_11073: "mdc",
    Standard.VKP: "vkp",
}
"""Where the map itself says why a word has no code."""


class CodeMapOf(msgspec.Struct, frozen=True, kw_only=True):
    """One standard's map: words by code, codes by word (the first is the one to write), and the rest.

    `read_as` holds the codes that are read as a word and never written for it.
    """

    standard: str
    source: str
    words: dict[str, tuple[str, ...]]
    codes: dict[str, tuple[str, ...]]
    read_as: dict[str, str]
    names: dict[str, str]
    words_without_code: dict[str, str]
    codes_without_word: dict[str, str]


@cache
def map_of(standard: Standard) -> CodeMapOf:
    """Return a standard's map, both ways."""
    codes = {word: found for word in CODE_MAP.word if (found := tuple(_codes(standard, word)))}
    words: dict[str, tuple[str, ...]] = {}
    for word, found in codes.items():
        for code in found:
            words[code] = (*words.get(code, ()), word)
    names = _names(standard)
    read_as = {code: word for code, word in _read_as(standard) if code not in words}
    used = words.keys() | read_as.keys()
    if standard is Standard.SCAIP:  # a status that has a word beside some device type has one
        used |= {f"{ANY}/{code.split('/')[1]}" for code in words}
    key = _REASONS.get(standard, "")
    return CodeMapOf(
        standard=standard.value,
        source=SOURCES[standard],
        words=words,
        codes=codes,
        read_as=read_as,
        names={code: name for code, name in names.items() if code in words or code in read_as},
        words_without_code={
            word: one.none.get(key, PANEL) for word, one in CODE_MAP.word.items() if word not in codes
        },
        codes_without_word={code: name for code, name in names.items() if code not in used},
    )


def words_for(standard: Standard, code: str) -> tuple[str, ...]:
    """Return what a code may mean, nothing for one that means nothing we know.

    A SCAIP code without a row of its own means what its status means of any device.
    """
    one = map_of(standard)
    words = one.words | {read: (word,) for read, word in one.read_as.items()}
    if standard is not Standard.SCAIP or code in words:
        return words.get(code, ())
    parts = code.split("/")
    rows = (parts[:2], [ANY, *parts[1:2]])
    return next((words[row] for row in map("/".join, rows) if row in words), ())


def translated(code: str, of: Standard, into: Standard) -> Mapping[str, tuple[str, ...]]:
    """Return each word that a code may mean with its codes in another standard, which may be none."""
    return {word: map_of(into).codes.get(word, ()) for word in words_for(of, code)}


def _codes(standard: Standard, word: str) -> Iterator[str]:
    one = CODE_MAP.word[word]
    if standard is Standard.SCAIP:
        yield from map(_scaip, one.scaip)
    elif standard is Standard.IEEE_11073:
        yield from (str(CODE_MAP.mdc[name].code) for name in one.mdc)
        yield from (f"status:{name}" for name in one.mdc_status)
    elif standard is Standard.VKP:
        yield from (f"alert:{code}" for code in one.vkp_alerts)
        yield from (f"dispensing:{code}" for code in one.vkp_dispensing)
        yield from (f"handling:{code}" for code in one.vkp_handling)
    elif standard is Standard.FHIR:
        yield one.fhir
    elif standard is Standard.SIA:
        yield from PANELS.events.get(word, ())
    else:
        yield from _contact_codes().get(word, ())


def _read_as(standard: Standard) -> Iterator[tuple[str, str]]:
    if standard is Standard.SCAIP:
        yield from ((f"{ANY}/{status}", word) for status, word in CODE_MAP.scaip.read_as.items())
        yield from ((f"{dty}/{AUTOMATIC}", word) for dty, word in CODE_MAP.scaip.automatic_alarms.items())


def _scaip(code: Scaip) -> str:
    return "/".join(part for part in (code.dty or ANY, code.stc, code.lco) if part)


@cache
def _contact_codes() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for event in range(FIRST_EVENT, LAST_EVENT + 1):
        for letter, qualifier in (("E", NEW), ("R", RESTORED)):
            word, _ = contact_word(event, qualifier)
            if word:
                found[word] = (*found.get(word, ()), f"{letter}{event}")
    return found


def _names(standard: Standard) -> Mapping[str, str]:
    """Return every code that the standard's tables have, with its name."""
    if standard is Standard.SCAIP:
        return {f"{ANY}/{code}": name for code, name in CODE_MAP.scaip.status_codes.items()}
    if standard is Standard.IEEE_11073:
        terms = {str(term.code): term.text for term in CODE_MAP.mdc.values()}
        return terms | {f"status:{name}": bit.text for name, bit in CODE_MAP.mdc_status.items()}
    if standard is Standard.VKP:
        tables = {"alert": CODE_MAP.vkp.alerts, "dispensing": CODE_MAP.vkp.dispensing}
        tables |= {"handling": CODE_MAP.vkp.handling}
        return {f"{kind}:{code}": name for kind, table in tables.items() for code, name in table.items()}
    if standard is Standard.SIA:
        return dict.fromkeys(sorted(PANELS.silent), "documented; it says nothing of the vocabulary")
    return {}
