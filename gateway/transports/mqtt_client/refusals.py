"""Why a connection ended, in words that say what an operator can do."""

from dataclasses import dataclass

from mqtt5 import ConnAckPacket, DisconnectPacket, DisconnectReasonCode
from mqtt5 import ConnAckReasonCode as Code

from gateway.config import BrokerSettings

_REFUSALS = {
    Code.UNSUPPORTED_PROTOCOL_VERSION: "it does not speak this protocol level: set `protocol`",
    Code.CLIENT_ID_NOT_VALID: "it does not allow this client id: set `client_id`",
    Code.BAD_USER_NAME_OR_PASSWORD: "user name or password is wrong: set `username` and `password`",
    Code.NOT_AUTHORIZED: "not authorised: check user name, password, certificate, and its access list",
    Code.RETAIN_NOT_SUPPORTED: "it keeps no retained messages, which the gateway's last will needs",
    Code.QUALITY_NOT_SUPPORTED: "it does not support QoS 1, which the gateway's last will needs",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended.

    `rival`: another client took the session. `unexplained`: nobody has said why.
    """

    why: str
    rival: bool = False
    unexplained: bool = False


def unexplained(settings: BrokerSettings) -> Ending:
    """Say what is known when the broker just hangs up; MQTT 3.1.1 knows no other way."""
    why = "the broker closed the connection without a reason"
    if settings.protocol == 4:
        why += f"; if that repeats, look for a second client with the id {settings.client_id!r}"
    return Ending(why, unexplained=True)


def refused(packet: ConnAckPacket) -> Ending:
    """Say why the broker refused the greeting."""
    known = _REFUSALS.get(packet.reason_code, packet.reason_code.name.lower().replace("_", " "))
    return Ending(f"the broker refused the connection: {known}{_remark(packet.reason_str)}")


def disconnected(packet: DisconnectPacket, settings: BrokerSettings) -> Ending:
    """Say why the broker sent DISCONNECT (MQTT 5 only)."""
    if packet.reason_code == DisconnectReasonCode.SESSION_TAKEN_OVER:
        why = (
            f"another client with the id {settings.client_id!r} has taken over the session: "
            "give every gateway a client_id of its own"
        )
        return Ending(why, rival=True)
    reason = packet.reason_code.name.lower().replace("_", " ")
    return Ending(f"the broker ended the connection: {reason}{_remark(packet.reason_str)}")


def _remark(text: str | None) -> str:
    return f" ({text[:200]!r})" if text else ""
