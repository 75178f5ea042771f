"""The two files every adapter brings: what it says of itself, and how it answers the quality rules."""

import tomllib
from typing import Any, Literal

import msgspec

from gateway.contract.adapter import Manifest

QUALITY_RULES: dict[str, str] = {
    "golden-frames": "every topic and message kind it reads has a golden frame with its readings",
    "documents-cited": "every code list and field is traced to a document with its version",
    "identity": "the device is named as its vendor names it, and stays the same over a restart",
    "idempotency": "a message that is sent again is recognised, or the protocol is known to have no key",
    "device-time": "the time of the happening is taken, never the time of packing or connecting",
    "clock-quality": "it says how far the time can be believed",
    "retained-is-status": "a retained message never becomes a new happening",
    "repeated-is-status": "a repeated level never becomes a new happening",
    "last-will": "the loss of the connection is read as the device being offline",
    "battery": "the charge becomes one of the three levels, and a wrong charge none",
    "bad-encoding": "broken UTF-8 costs at most the field it stands in, or is quarantined by name",
    "out-of-range": "a value that no device can mean is refused with its path",
    "personal-data-dropped": "names, codes, Wi-Fi names and the like never leave the decoder",
    "unknown-type": "an unknown kind of message is shown with its reason, never dropped",
    "fuzzed": "random and damaged frames only ever make it say that it cannot decode",
    "tested-on-real-device": "it has been run with the real product",
}
"""What is asked of every adapter, in the words of the quality page."""


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an adapter answers one quality rule; `reason` is needed unless the answer is done."""

    status: Literal["done", "todo", "exempt"]
    reason: str = ""


class Privacy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a format carries what is personal and is dropped, as paths; or why it carries nothing personal.

    A path is names of fields with dots between them, anywhere in a message (`device.phone`); `topic:` and the
    last levels of a topic mean the whole payload there; `text:` and a pattern mean the pattern's first group.
    """

    dropped: tuple[str, ...] = ()
    reason: str = ""


def read_manifest(text: str) -> Manifest:
    """Read a manifest.toml; raises msgspec.ValidationError naming the key that is wrong."""
    document: dict[str, Any] = tomllib.loads(text)
    urgent = tuple(marker.encode() for marker in document.pop("urgent", ()))
    manifest = msgspec.convert(document, Manifest)
    return msgspec.structs.replace(manifest, urgent=urgent)


def read_quality(text: str) -> dict[str, Answer]:
    """Read a quality.toml: the rule's name and its answer; raises msgspec.ValidationError."""
    document = tomllib.loads(text)
    document.pop("privacy", None)
    return msgspec.convert(document, dict[str, Answer])


def read_privacy(text: str) -> Privacy:
    """Read the table `privacy` of a quality.toml, empty without one; raises msgspec.ValidationError."""
    return msgspec.convert(tomllib.loads(text).get("privacy", {}), Privacy)
