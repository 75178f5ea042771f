"""Tap talk: what the gateway and the process of its taps say to each other, a line of JSON each."""

from datetime import datetime
from pathlib import Path

import msgspec
from pydantic import BaseModel, SecretStr

from gateway.fhir.subscribing import Subscription


def tap_of(subscription_id: str) -> str:
    """Return the name of the tap that tells a subscriber."""
    return f"subscription-{subscription_id}"


class TapStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How one tap stands, for people and metrics; `told` counts what a subscriber was told."""

    cursor: int
    events: int = 0
    entries: int = 0
    dead_letters: int = 0
    fault: str = ""
    disturbed_since: datetime | None = None
    late: bool = False
    told: int = 0


class Start(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The first words to the process; `settings` are the taps' own, their secrets among them.

    A tap that never was begins after the frame `begins`, where the gateway stood when it started.
    """

    data_dir: str
    settings: msgspec.Raw
    rules_dir: str | None
    base: str
    begins: int
    log_level: int
    subscriptions: tuple[Subscription, ...] = ()


class Again(msgspec.Struct, frozen=True, tag=True):
    """Send a dead letter once more."""

    tap: str
    letter: int


class GiveUp(msgspec.Struct, frozen=True, tag=True):
    """Remove a dead letter that nobody will send again."""

    tap: str
    letter: int


class Subscribe(msgspec.Struct, frozen=True, tag=True):
    """Begin to tell a subscriber; a topic's endpoint is shown the handshake first."""

    subscription: Subscription


class Unsubscribe(msgspec.Struct, frozen=True, tag=True):
    """End a subscription."""

    id: str


Order = Again | GiveUp | Subscribe | Unsubscribe


class Asked(msgspec.Struct, frozen=True):
    """One line to the process."""

    number: int
    order: Start | Again | GiveUp | Subscribe | Unsubscribe


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What became of an order: refused for good by the receiver, or a fault that may pass; else both ""."""

    number: int
    refused: str = ""
    fault: str = ""


class Standing(msgspec.Struct, frozen=True, tag=True):
    """How all taps stand; said now and then, so that silence means that the process hangs."""

    taps: dict[str, TapStanding]


class Unfit(msgspec.Struct, frozen=True, tag=True):
    """These settings cannot be used; the process ends."""

    reason: str


Said = Answered | Standing | Unfit
"""One line from the process."""
ASKED: msgspec.json.Decoder[Asked] = msgspec.json.Decoder(Asked)
SAID: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)


def line_of(words: Asked | Said) -> bytes:
    """Return words as a line."""
    return msgspec.json.encode(words) + b"\n"


def revealed(settings: BaseModel) -> msgspec.Raw:
    """Return settings as JSON that makes the same settings, secrets included: for a pipe, never a file."""
    return msgspec.Raw(msgspec.json.encode(settings.model_dump(), enc_hook=_reveal))


def _reveal(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"settings hold a {type(value).__name__}")
