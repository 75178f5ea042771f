"""What the tester is asked to do where the device has no test hook, in both languages."""

from collections.abc import Mapping
from typing import Any

from gateway.conformance.ports import Said


def asking(action: str, values: Mapping[str, Any]) -> Said:
    """Return the request for one action of the upper tester, put to a person."""
    return _WORDS[action](values)


def _event(values: Mapping[str, Any]) -> Said:
    en, sv = _later(values)
    word = values["type"]
    return Said(
        f"Bring the device to report {word}{en}: operate it as a user would.",
        f"Få enheten att rapportera {word}{sv}: använd den som en användare skulle göra.",
    )


def _reset(values: Mapping[str, Any]) -> Said:
    en, sv = _later(values)
    return Said(
        f"Cut the device's power and give it back{en}.", f"Bryt enhetens ström och slå på den igen{sv}."
    )


def _battery(values: Mapping[str, Any]) -> Said:
    percent = values["percent"]
    return Said(
        f"Give the device a battery of {percent} percent, or set its reading to that.",
        f"Ge enheten ett batteri med {percent} procent, eller ställ mätvärdet så.",
    )


def _clock(values: Mapping[str, Any]) -> Said:
    if values.get("unset"):
        return Said(
            "Take the time from the device: power it up where it cannot reach a time source.",
            "Ta tiden från enheten: starta den där den inte når någon tidskälla.",
        )
    offset_s = values["offset_s"]
    if not offset_s:
        return Said("Set the device's clock right again.", "Ställ enhetens klocka rätt igen.")
    return Said(
        f"Set the device's clock wrong by {offset_s} seconds.",
        f"Ställ enhetens klocka fel med {offset_s} sekunder.",
    )


def _later(values: Mapping[str, Any]) -> tuple[str, str]:
    after_s = values.get("after_s")
    return (f", {after_s} seconds from now", f", om {after_s} sekunder") if after_s else ("", "")


_WORDS = {"event": _event, "reset": _reset, "battery": _battery, "clock": _clock}
