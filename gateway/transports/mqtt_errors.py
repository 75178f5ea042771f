"""What can be wrong with bytes that claim to be MQTT, with the clause that says so."""

from typing import Any

from gateway.contract import VakaError

EVIDENCE_BYTES = 1024
"""How much of a faulty packet is kept as evidence."""


class PacketError(VakaError):
    """The byte stream cannot be read any further; the connection must be closed.

    `packets` holds what the same call read before the fault, `evidence` the first bytes of the faulty
    packet (at most 1 KiB; of a CONNECT never more than its fixed part, so no credentials).
    """

    def __init__(self, reason: str, clause: str, evidence: bytes = b"", *, level: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.clause = clause
        self.evidence = evidence[:EVIDENCE_BYTES]
        self.level = level
        self.packets: list[Any] = []


class MalformedPacketError(PacketError):
    """The bytes are not the packet they claim to be."""


class WrongLevelError(MalformedPacketError):
    """CONNECT asks for a protocol that is neither MQTT 3.1.1 nor MQTT 5.0; `asked` is the level it named."""

    def __init__(self, reason: str, clause: str, evidence: bytes, *, level: int | None, asked: int) -> None:
        super().__init__(reason, clause, evidence, level=level)
        self.asked = asked


class PacketTooLargeError(PacketError):
    """The fixed header announces more than the limit; nothing of the body was kept."""
