"""The code map: every word of the vocabulary in SCAIP, 11073, VKP, FHIR and IHE ACM, as versioned data."""

import tomllib
from importlib.resources import files
from typing import Annotated

import msgspec

from gateway.model.alert import AlertType, Severity

Dty = Annotated[str, msgspec.Meta(pattern=r"^([0-9]{4})?$")]
Stc = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}$")]
Lco = Annotated[str, msgspec.Meta(pattern=r"^([0-9]{3})?$")]

PARTITION_AI = 130
"""MDC_PART_PHD_AI: the 32-bit code of a term is 130 * 65536 + term (standards paper, section 2.1)."""


class Scaip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Device type, status and location code; an empty `dty` is the type of whatever device reports."""

    stc: Stc
    dty: Dty = ""
    lco: Lco = ""


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sensor event of 11073-10471 (`sensor` type) or a term of 11073-10472."""

    text: str
    sensor: int | None = None
    term: int | None = None

    @property
    def code(self) -> int:
        """The 32-bit nomenclature code."""
        return PARTITION_AI * 65536 + (self.sensor or self.term or 0)


class StatusBit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A status bit that every sensor of 11073-10471 has."""

    text: str
    bit: int


class Codes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one word is called elsewhere.

    `severity` None is decided by rule. `none` gives the reason for every standard without a code,
    and for a severity that is left to a rule; `proposed` names the columns that are our own choice.
    """

    fhir: str
    type: AlertType
    severity: Severity | None = None
    scaip: tuple[Scaip, ...] = ()
    mdc: tuple[str, ...] = ()
    mdc_status: tuple[str, ...] = ()
    vkp_alerts: tuple[str, ...] = ()
    vkp_dispensing: tuple[str, ...] = ()
    vkp_handling: tuple[str, ...] = ()
    none: dict[str, str] = {}
    proposed: tuple[str, ...] = ()


class ScaipTables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names of the SCAIP codes, and words that are read from one and never written so.

    `read_as` is by status beside any device type, `automatic_alarms` by the type beside status 0009.
    """

    device_types: dict[str, str]
    status_codes: dict[str, str]
    location_codes: dict[str, str]
    read_as: dict[str, str]
    automatic_alarms: dict[str, str]


class VkpTables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names of the VKP codes."""

    alerts: dict[str, str]
    dispensing: dict[str, str]
    handling: dict[str, str]


class CodeMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of the whole map."""

    version: str
    scaip: ScaipTables
    mdc: dict[str, Term]
    mdc_status: dict[str, StatusBit]
    vkp: VkpTables
    word: dict[str, Codes]


def read_code_map(text: str) -> CodeMap:
    """Read a code map; raises msgspec.ValidationError naming the key that is wrong."""
    return msgspec.convert(tomllib.loads(text), CodeMap)


CODE_MAP: CodeMap = read_code_map(files(__name__).joinpath("v1.toml").read_text("utf-8"))
"""The map in force, version 1."""


def codes_for(event_type: str) -> Codes:
    """Return the codes of a word; KeyError for one outside the vocabulary."""
    return CODE_MAP.word[event_type]


def _by_scaip() -> dict[Scaip, tuple[str, ...]]:
    found: dict[Scaip, tuple[str, ...]] = {}
    for word, codes in CODE_MAP.word.items():
        for code in codes.scaip:
            found[code] = (*found.get(code, ()), word)
    return found


_WORDS = _by_scaip()


def words_for_scaip(dty: str, stc: str, lco: str = "") -> tuple[str, ...]:
    """Return the words that a SCAIP message may mean, none when it means nothing we know.

    The most exact row wins: with the location, then without, then the status of any device type.
    Codes are padded as receivers do it: `dty` and `stc` to four digits, `lco` to three.
    """
    device, status, place = dty.zfill(4), stc.zfill(4), lco.zfill(3) if lco else ""
    rows = (
        Scaip(dty=device, stc=status, lco=place),
        Scaip(dty=device, stc=status),
        Scaip(stc=status),
    )
    return next((_WORDS[row] for row in rows if row in _WORDS), ())
