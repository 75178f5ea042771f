"""Event codes of alarm panels, SIA DC-03 and Contact ID, as words of the vocabulary, both ways."""

import tomllib
from importlib.resources import files

import msgspec

NEW, RESTORED, AGAIN = 1, 3, 6
"""The qualifiers of Contact ID: E, R, and a condition that was reported before."""
FIRST_EVENT, LAST_EVENT = 100, 699
ARMED, DISARMED = "alarm_system.armed", "alarm_system.disarmed"
NEVER_RESTORED = frozenset({"test", "heartbeat", "alarm.cancelled"})
"""Words that have no end: E and R mean the same."""


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Contact ID events of one word, from and to."""

    first: int = msgspec.field(name="from")
    last: int = msgspec.field(name="to")
    word: str


class Panels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole table."""

    version: str
    silent: frozenset[str]
    contact: tuple[Range, ...]
    arming: frozenset[int]
    cleared: dict[str, str]
    events: dict[str, tuple[str, ...]]


PANELS: Panels = msgspec.convert(
    tomllib.loads(files("gateway.model.codes").joinpath("sia.toml").read_text("utf-8")), Panels
)
"""The table in force, version 1."""
SIA: dict[str, str] = {code: word for word, codes in PANELS.events.items() for code in codes}
"""Words by SIA DC-03 code."""


def contact_word(event: int, qualifier: int) -> tuple[str, str]:
    """Return the word of a Contact ID event, or "" and the reason why it says none; both "" if unknown."""
    if qualifier == AGAIN:
        return "", "a condition that was reported before"
    if event in PANELS.arming:
        return (DISARMED if qualifier == NEW else ARMED), ""
    word = next((one.word for one in PANELS.contact if one.first <= event <= one.last), "")
    if word and qualifier == RESTORED and word not in NEVER_RESTORED:
        cleared = PANELS.cleared
        return (cleared[word], "") if word in cleared else ("", "the sensor is at rest again")
    if word:
        return word, ""
    known = event == 305 or 400 <= event <= LAST_EVENT
    return "", f"Contact ID event {event} says nothing of the vocabulary" if known else ""
