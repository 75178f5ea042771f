"""The clauses of the standard device interface as data, a folder a version, in English and in Swedish."""

import tomllib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Literal

import msgspec

from gateway.contract.errors import ConfigurationError
from gateway.model.vocabulary import DeviceKind

VERSIONS = ("v1",)
TRANSPORTS = ("mqtt", "ble")
_Words = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class Clause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One clause: `must` is refused when broken, `should` is only counted by the conformance kit.

    `en` and `sv` are what is demanded, `why_en` and `why_sv` the failure that it prevents, `source` the
    document that it stands on, `since` the interface version it came with, `profile` the kinds of device
    that it concerns (none: all).
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^VDI-[A-Z]{3,5}-\d{2}$")]
    level: Literal["must", "should"]
    en: _Words
    sv: _Words
    why_en: _Words
    why_sv: _Words
    source: _Words
    since: str = "1.0"
    profile: tuple[DeviceKind, ...] = ()

    @property
    def over(self) -> str:
        """The one transport that it is about, mqtt or ble; "" for any."""
        group = self.id.split("-")[1].lower()
        return group if group in TRANSPORTS else ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    clause: tuple[Clause, ...]


@cache
def clauses_of(version: str, over: str = "") -> tuple[Clause, ...]:
    """Return the clauses of a version, or those for one transport; none for a version that is not known.

    ConfigurationError names the file, the clause and the key of what is wrong.
    """
    if version not in VERSIONS:
        return ()
    folder = files(__package__).joinpath(version)
    read = [clause for path in folder.iterdir() if path.name.endswith(".toml") for clause in read_file(path)]
    names = [clause.id for clause in read]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"{version}: clause {twice[0]} stands there twice; allowed: once")
    wanted = [clause for clause in read if not over or clause.over in {"", over}]
    return tuple(sorted(wanted, key=_order))


def read_file(path: Traversable) -> tuple[Clause, ...]:
    """Read one file of clauses; ConfigurationError names what is wrong with it."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File).clause
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"{path.name}: {error}") from error


_GROUPS = ("MQTT", "BLE", "ENC", "EVT", "STA", "TEL", "RES", "CMD", "CFG", "LOCK", "GPS", "SOC", "MED", "CAM")


def _order(clause: Clause) -> tuple[int, str]:
    """Return the place of a clause: the general first, those of single kinds last."""
    group = clause.id.split("-")[1]
    return (_GROUPS.index(group) if group in _GROUPS else len(_GROUPS), clause.id)
