"""CONNECT: who it is, what it may do, which session it gets, and what CONNACK says."""

from dataclasses import dataclass
from uuid import uuid4

import mqtt5

from gateway.contract import Refused
from gateway.model.frame import MAX_PAYLOAD_BYTES
from gateway.model.registry import Device
from gateway.transports.mqtt_codec import MQTT_5, MQTT_311
from gateway.transports.mqtt_listener.house import MAX_PACKET_BYTES, House
from gateway.transports.mqtt_listener.records import WillRecord
from gateway.transports.mqtt_listener.rights import Rights, open_rights, rights_of
from gateway.transports.mqtt_listener.sessions import Session

_LONGEST_CLIENT_ID = 256
Code = mqtt5.ConnAckReasonCode


class RejectedError(Exception):
    """The device may not connect; `code` is what CONNACK says, `fault` what the trace says."""

    def __init__(self, code: Code, fault: str, source: str = "") -> None:
        super().__init__(fault)
        self.code = code
        self.fault = fault
        self.source = source


@dataclass(slots=True)
class Admission:
    """A device that may connect."""

    device: str
    client_id: str
    rights: Rights
    expiry_s: int
    keep_alive_s: int
    will: WillRecord | None


def admit(house: House, packet: mqtt5.ConnectPacket, level: int, common_name: str) -> Admission:
    """Judge a CONNECT; raises RejectedError. Changes nothing."""
    if packet.authentication_method is not None:
        raise RejectedError(
            Code.BAD_AUTHENTICATION_METHOD, "MQTT 5.0 section 4.12: enhanced authentication is not offered"
        )
    device = _device(house, packet, common_name)
    source = device.id if device else ""
    rights = rights_of(device, house.manifests) if device else open_rights(house.manifests)
    limit_s = house.settings.max_keep_alive_s
    too_slow = packet.keep_alive == 0 or packet.keep_alive > limit_s
    admission = Admission(
        device=source,
        client_id=_client_id(packet, level, source),
        rights=rights,
        expiry_s=min(packet.session_expiry_interval, house.settings.session_expiry_s),
        keep_alive_s=limit_s if level == MQTT_5 and too_slow else packet.keep_alive,
        will=None,
    )
    if packet.will is not None:
        admission.will = _will(packet.will, admission, level)
    return admission


def open_session(house: House, admission: Admission, *, clean: bool) -> tuple[Session, bool]:
    """Open the session and take from it what the device may no longer hear; raises RejectedError."""
    try:
        session, present = house.book.open(
            admission.device, admission.client_id, clean=clean, expiry_s=admission.expiry_s
        )
    except Refused as error:
        raise RejectedError(
            Code.QUOTA_EXCEEDED, f"MQTT 5.0 section 4.1: {error}", admission.device
        ) from error
    for topic_filter in list(session.record.subscriptions):
        if not admission.rights.may_subscribe(topic_filter):
            house.book.unsubscribe(session, topic_filter)
    for message in list(session.waiting.values()):
        if not admission.rights.may_subscribe(message.topic):
            house.book.done(session, message.number)
    return session, present


def welcome(
    house: House, admission: Admission, packet: mqtt5.ConnectPacket, *, present: bool
) -> mqtt5.ConnAckPacket:
    """Return the CONNACK with the listener's limits (MQTT 5.0 section 3.2.2.3)."""
    same_expiry = admission.expiry_s == packet.session_expiry_interval
    same_keep_alive = admission.keep_alive_s == packet.keep_alive
    return mqtt5.ConnAckPacket(
        session_present=present,
        session_expiry_interval=None if same_expiry else admission.expiry_s,
        assigned_client_id=None if packet.client_id else admission.client_id,
        server_keep_alive=None if same_keep_alive else admission.keep_alive_s,
        receive_max=house.settings.receive_maximum,
        max_qos=mqtt5.QoS.AT_LEAST_ONCE,
        max_packet_size=MAX_PACKET_BYTES,
        subscription_id_available=False,
        shared_subscription_available=False,
    )


def _device(house: House, packet: mqtt5.ConnectPacket, common_name: str) -> Device | None:
    """Return the device, or None for an anonymous peer where that is allowed."""
    nothing_said = packet.username is None and packet.password is None and not common_name
    if nothing_said and house.settings.anonymous:
        return None
    try:
        password = (packet.password or b"").decode()
    except UnicodeDecodeError:
        password = ""
    device = house.check(packet.username or "", password, common_name)
    if device is None:
        raise RejectedError(
            Code.BAD_USER_NAME_OR_PASSWORD, "MQTT 5.0 section 3.2.2.2: bad user name, password or certificate"
        )
    return device


def _client_id(packet: mqtt5.ConnectPacket, level: int, source: str) -> str:
    if len(packet.client_id) > _LONGEST_CLIENT_ID:
        raise RejectedError(
            Code.CLIENT_ID_NOT_VALID, f"MQTT 5.0 section 3.1.3.1: client id over {_LONGEST_CLIENT_ID}", source
        )
    if not packet.client_id and level == MQTT_311 and not packet.clean_start:
        raise RejectedError(
            Code.CLIENT_ID_NOT_VALID,
            "MQTT 3.1.1 section 3.1.3.1: an empty client id needs a clean session",
            source,
        )
    return packet.client_id or f"auto-{uuid4().hex}"


def _will(will: mqtt5.Will, admission: Admission, level: int) -> WillRecord:
    payload = will.payload or b""
    if level == MQTT_5 and int(will.qos) > 1:
        raise RejectedError(
            Code.QUALITY_NOT_SUPPORTED, "MQTT 5.0 section 3.2.2.3.4: will with QoS 2", admission.device
        )
    if not admission.rights.may_publish(will.topic) or len(payload) > MAX_PAYLOAD_BYTES:
        raise RejectedError(
            Code.NOT_AUTHORIZED, "MQTT 5.0 section 5.4.2: will outside the device's branch", admission.device
        )
    return WillRecord(admission.device, admission.client_id, will.topic, payload, will.will_delay_interval)
