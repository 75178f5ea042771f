"""The vendor's declaration: the device, what it implements (PICS), the values that a test needs (PIXIT)."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from gateway.config import validated
from gateway.contract import ConfigurationError
from gateway.files import read_toml
from gateway.model.vocabulary import VOCABULARY, DeviceKind
from gateway.sections import Section, fault

Action = Literal["event", "reset", "battery", "clock"]
Name = Annotated[str, Field(pattern=r"^[^/+#\x00]{1,128}$")]


def _words(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        if word not in VOCABULARY:
            fault("", repr(word), "words of the vocabulary, as lock.unlocked")
    return words


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        fault("", repr(url), "http://... or https://...")
    return url


Words = Annotated[tuple[str, ...], AfterValidator(_words)]


class DeviceSection(Section):
    """The device under test. `firmware_file` is what its digest in the statement is made of."""

    vendor: str = Field(min_length=1, max_length=120)
    product: str = Field(min_length=1, max_length=120)
    firmware: str = Field(min_length=1, max_length=120)
    kind: DeviceKind
    serial: str = ""
    firmware_file: Path | None = None


class ConnectionSection(Section):
    """How the device comes to us: its place in the topics, and its login at the served counterpart.

    Over Bluetooth we come to the device instead: `address` is where it advertises, as the system writes it.
    """

    tenant: Name
    device: Name
    username: str = ""
    password: SecretStr = SecretStr("")
    client_id: str = ""
    address: str = Field("", max_length=64)

    @property
    def native_id(self) -> str:
        """The device as the topics name it: tenant/device."""
        return f"{self.tenant}/{self.device}"

    def topic(self, branch: str) -> str:
        """Return the topic of one of its branches."""
        return f"vaka/1/{self.native_id}/{branch}"


class PicsSection(Section):
    """What the vendor says is implemented: it selects the cases, and a first case holds the device to it.

    `events` are all words that the device can say, `commands` what it obeys (`do`), `config` the keys of
    the configuration that it takes beside `revision`; `offline_events` how many events it keeps without a
    link; `clock_setting` that it can lose and find the time; `credentials` that a lock tells by whose it
    was operated.
    """

    mqtt: tuple[Literal["3.1.1", "5"], ...] = ()
    tls: bool = False
    events: Words
    telemetry: bool = False
    battery: bool = False
    commands: tuple[str, ...] = ()
    grants: bool = False
    credentials: bool = False
    config: tuple[str, ...] = ()
    offline_events: int = Field(0, ge=0, le=1_000_000)
    clock_setting: bool = False


class PixitSection(Section):
    """Values that the cases need, in seconds: the device's own worst cases, so that none waits too short.

    `keep_alive_s` is what it asks for in CONNECT; `reconnect_s` its longest pause before it dials again;
    `resend_s` how long it waits for a PUBACK before it acts; `operate_s` from being operated to its event;
    `boot_s` from power to CONNECT; `person_s` how long a tester may take for one prompt; `margin_s` what is
    added to each of them for the network and the kit's machine.
    """

    heartbeat_s: float = Field(300, gt=0, le=86_400)
    keep_alive_s: int = Field(60, ge=0, le=65_535)
    reconnect_s: float = Field(30, gt=0, le=3600)
    resend_s: float = Field(60, gt=0, le=3600)
    operate_s: float = Field(10, gt=0, le=3600)
    boot_s: float = Field(60, gt=0, le=3600)
    command_s: float = Field(10, gt=0, le=600)
    person_s: float = Field(120, gt=0, le=3600)
    margin_s: float = Field(5, ge=1, le=60)
    operated: Words = ()
    """Words that the device can be brought to say at any time, the easiest first; default: all `events`."""


class TesterSection(Section):
    """The device's own test hook (docs/conformance.md, "Upper tester"); without one a person is asked."""

    by: Literal["http", "mqtt", "none"] = "none"
    url: Annotated[str, AfterValidator(_address)] | None = None
    actions: tuple[Action, ...] = ("event", "reset", "battery", "clock")

    @model_validator(mode="after")
    def _has_address(self) -> Self:
        if (self.by == "http") != (self.url is not None):
            fault("url", repr(self.url), 'an address with by = "http", and none with any other')
        return self


class ScaipSection(Section):
    """An alarm unit that speaks SCAIP: its `cid`, its way, whether it sends heartbeats (`pixit.heartbeat_s`).

    `again_s` is its longest wait for a reply before it sends an alarm again.
    """

    cid: str = Field(min_length=1, max_length=64)
    over: Literal["udp", "tcp"] = "udp"
    heartbeat: bool = False
    again_s: float = Field(60, gt=0, le=3600)


class Declaration(Section):
    """The whole file; without `scaip` its digest is what it was before there was one."""

    device: DeviceSection
    connection: ConnectionSection
    pics: PicsSection
    pixit: PixitSection = PixitSection()
    tester: TesterSection = TesterSection()
    scaip: ScaipSection | None = Field(None, exclude_if=lambda found: found is None)

    @model_validator(mode="after")
    def _speaks(self) -> Self:
        if not self.pics.mqtt and not self.connection.address and self.scaip is None:
            fault("pics.mqtt", "none", "a version of MQTT, connection.address (Bluetooth), or [scaip]")
        return self

    @property
    def flags(self) -> frozenset[str]:
        """What is claimed, in the words of a case's `needs`.

        `event:lock.unlocked`, `command:lock`, `config:heartbeat_s`, `mqtt:5`, `mqtt:3.1.1`; and for any of
        them, or alone: `commands`, `config`, `grants`, `tls`, `telemetry`, `battery`, `offline`, `clock`;
        `scaip:udp`, `scaip:tcp`, `scaip:heartbeat`.
        """
        pics = self.pics
        named = {
            "tls": pics.tls,
            "telemetry": pics.telemetry,
            "battery": pics.battery,
            "commands": bool(pics.commands),
            "grants": pics.grants,
            "config": bool(pics.config),
            "offline": pics.offline_events > 0,
            "clock": pics.clock_setting,
            "scaip:udp": self.scaip is not None and self.scaip.over == "udp",
            "scaip:tcp": self.scaip is not None and self.scaip.over == "tcp",
            "scaip:heartbeat": self.scaip is not None and self.scaip.heartbeat,
        }
        return frozenset(
            {name for name, claimed in named.items() if claimed}
            | {f"event:{word}" for word in pics.events}
            | {f"command:{word}" for word in pics.commands}
            | {f"config:{key}" for key in pics.config}
            | {f"mqtt:{level}" for level in pics.mqtt}
        )

    @property
    def operated(self) -> tuple[str, ...]:
        """The words that the device can be brought to say, the easiest first."""
        return self.pixit.operated or self.pics.events

    def digest(self) -> str:
        """Return the SHA-256 of the declaration's content, without the password, in hexadecimal."""
        return hashlib.sha256(self.public().encode()).hexdigest()

    def public(self) -> str:
        """Return the content as JSON with the password hidden, the same for the same content."""
        return self.model_dump_json(indent=1)


def read_declaration(path: Path) -> Declaration:
    """Read a declaration; ConfigurationError names every fault with file, key, found and allowed."""
    found = validated(Declaration, read_toml(path), str(path), keys_in="docs/conformance.md")
    firmware = found.device.firmware_file
    if firmware is None:
        return found
    firmware = path.parent / firmware
    if not firmware.is_file():
        raise ConfigurationError(
            f"{path}: device.firmware_file: found no file {firmware}; allowed: the firmware that was tested"
        )
    device = found.device.model_copy(update={"firmware_file": firmware})
    return found.model_copy(update={"device": device})
