"""The Nuki codec: which of the two sources speaks, and for which lock."""

from collections.abc import Sequence
from importlib.resources import files
from string import hexdigits

import msgspec

from adapters.nuki import hub, official
from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading

OFFICIAL_BASE = "nuki"
_HEX = frozenset(hexdigits)


class NukiAdapter:
    """Reads Nuki locks, and one Nuki Hub by its base topic, which is the hub lock's native id."""

    def __init__(self, base: str = OFFICIAL_BASE) -> None:
        manifest = read_manifest(files("adapters.nuki").joinpath("manifest.toml").read_text("utf-8"))
        topics = dict.fromkeys((f"{OFFICIAL_BASE}/#", f"{base}/#"))
        self._manifest = msgspec.structs.replace(manifest, topics=tuple(topics))
        self._base = base

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one frame; raises Undecodable with the clause."""
        parts = frame.channel.split("/")
        if not all(parts) or len(frame.channel) > 256:
            raise Undecodable("the topic has empty or endless levels", clause="NUKI-TOPIC")
        text = frame.payload.decode("utf-8", "replace").strip()
        if len(parts) == 3 and parts[0] == OFFICIAL_BASE and _is_id(parts[1]):
            return official.decode(parts[1], parts[2], text, retained=frame.retained)
        topic = frame.channel.removeprefix(f"{self._base}/")
        if topic == frame.channel or "/" not in topic:
            reason = f"the topic is neither nuki/{{id}}/{{topic}} nor {self._base}/... of Nuki Hub"
            raise Undecodable(reason, clause="NUKI-TOPIC")
        return hub.decode(self._base, topic, text, retained=frame.retained)


def _is_id(level: str) -> bool:
    """Tell a Nuki id: up to eight hexadecimal digits."""
    return len(level) <= 8 and _HEX.issuperset(level)
