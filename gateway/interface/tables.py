"""Tables of the page: the fields of a struct, the code map, the clauses by chapter."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.contract.clauses import Clause
from gateway.interface.fields import Field, fields_of
from gateway.interface.version import Version
from gateway.model.codes import CODE_MAP, Codes, codes_for
from gateway.model.vocabulary import Values

CHAPTERS = {
    "MQTT": "Connection and topics",
    "ENC": "Encoding",
    "EVT": "Events",
    "STA": "Status",
    "TEL": "Telemetry",
    "CMD": "Commands",
    "RES": "Results",
    "CFG": "Configuration",
    "LOCK": "Locks",
    "GPS": "GPS alarms",
    "SOC": "Social alarms",
    "MED": "Medication dispensers",
    "CAM": "Cameras",
    "BLE": "Bluetooth",
}
"""The middle part of a clause's id, and what it is about."""


def field_table(version: Version, struct: type[msgspec.Struct], leave_out: type[Values] | None = None) -> str:
    """Return the fields as a Markdown table; without those that every event's data may have."""
    common = set(leave_out.__struct_fields__) if leave_out else set()
    lines = ["| field | type | unit | required | meaning |", "|---|---|---|---|---|"]
    lines += [_line(version, one) for one in fields_of(version, struct) if one.name not in common]
    return "\n".join(lines) if len(lines) > 2 else "No fields of its own."


def _line(version: Version, one: Field) -> str:
    kind = f"{one.kind}, {one.limits}" if one.limits else one.kind
    meaning = one.text
    if one.codes and one.codes != ("1.0",):
        meanings = version.codes.get(one.name, {})
        told = [f"`{code}` - {meanings[code]}" if code in meanings else f"`{code}`" for code in one.codes]
        meaning += f" One of: {'; '.join(told)}."
    if one.default:
        meaning += f" Left out: `{one.default}`."
    return f"| `{one.name}` | {kind} | {one.unit} | {'yes' if one.required else 'no'} | {meaning} |"


def inline(value: Any) -> str:
    """Return a value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


def code_words(codes: Codes) -> dict[str, str]:
    """Return a word's codes in other standards, a text each, empty where there is none."""
    scaip = [f"{code.dty or 'any'}/{code.stc}" + (f"/{code.lco}" if code.lco else "") for code in codes.scaip]
    mdc = [f"{CODE_MAP.mdc[name].text} ({CODE_MAP.mdc[name].code})" for name in codes.mdc]
    mdc += [f"status: {CODE_MAP.mdc_status[name].text}" for name in codes.mdc_status]
    vkp = [f"alert {code}" for code in codes.vkp_alerts]
    vkp += [f"dispensing {code}" for code in codes.vkp_dispensing]
    vkp += [f"handling {code}" for code in codes.vkp_handling]
    severity = "by rule" if codes.severity is None else codes.severity.name.lower()
    return {"scaip": ", ".join(scaip), "mdc": ", ".join(mdc), "vkp": ", ".join(vkp), "severity": severity}


def code_line(name: str) -> str:
    """Return a word's codes in one line, empty when no standard has any."""
    told = code_words(codes_for(name))
    named = (("SCAIP", told["scaip"]), ("11073", told["mdc"]), ("VKP", told["vkp"]))
    return "; ".join(f"{standard} {codes}" for standard, codes in named if codes)


def clause_chapters(clauses: Sequence[Clause]) -> list[dict[str, Any]]:
    """Return the clauses by chapter, in the order in which chapters first come."""
    found: dict[str, list[dict[str, str]]] = {}
    for clause in clauses:
        key = clause.id.split("-")[1]
        profile = ", ".join(clause.profile) or "all"
        line = {"id": clause.id, "level": clause.level, "profile": profile, "text": clause.en}
        line |= {"why": clause.why_en, "source": clause.source}
        found.setdefault(CHAPTERS.get(key, key), []).append(line)
    return [{"title": title, "clauses": lines} for title, lines in found.items()]
