"""Why a connection ended, in words that say what an operator can do."""

from dataclasses import dataclass
from enum import IntEnum

from mqtt5 import ConnAckPacket, DisconnectPacket, DisconnectReasonCode
from mqtt5 import ConnAckReasonCode as Code

from gateway.config import BrokerSettings

_REFUSALS: dict[int, str] = {
    int(Code.UNSUPPORTED_PROTOCOL_VERSION): "it does not speak this protocol level: set `protocol`",
    int(Code.CLIENT_ID_NOT_VALID): "it does not allow this client id: set `client_id`",
    int(Code.BAD_USER_NAME_OR_PASSWORD): "user name or password is wrong: set `username` and `password`",
    int(Code.NOT_AUTHORIZED): "not authorised: check user name, password, certificate, and its access list",
    int(Code.RETAIN_NOT_SUPPORTED): "it keeps no retained messages, which the gateway's last will needs",
    int(Code.QUALITY_NOT_SUPPORTED): "it does not support QoS 1, which the gateway's last will needs",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended.

    `rival`: another client took the session. `unexplained`: nobody has said why.
    """

    why: str
    rival: bool = False
    unexplained: bool = False


def spoken(code: IntEnum) -> str:
    """Return a reason code in words."""
    return code.name.lower().replace("_", " ")


def unexplained(settings: BrokerSettings) -> Ending:
    """Say what is known when the broker just hangs up: MQTT 3.1.1 and some brokers know no other way."""
    why = (
        "the broker closed the connection without a reason; if that repeats, look for a second client "
        f"with the id {settings.client_id!r}"
    )
    return Ending(why, unexplained=True)


def refused(packet: ConnAckPacket) -> Ending:
    """Say why the broker refused the greeting."""
    known = _REFUSALS.get(int(packet.reason_code), spoken(packet.reason_code))
    return Ending(f"the broker refused the connection: {known}{_remark(packet.reason_str)}")


def disconnected(packet: DisconnectPacket, settings: BrokerSettings) -> Ending:
    """Say why the broker sent DISCONNECT (MQTT 5 only)."""
    if packet.reason_code == DisconnectReasonCode.SESSION_TAKEN_OVER:
        why = (
            f"another client with the id {settings.client_id!r} has taken over the session: "
            "give every gateway a client_id of its own"
        )
        return Ending(why, rival=True)
    reason = spoken(packet.reason_code)
    return Ending(f"the broker ended the connection: {reason}{_remark(packet.reason_str)}")


def _remark(text: str | None) -> str:
    return f" ({text[:200]!r})" if text else ""
