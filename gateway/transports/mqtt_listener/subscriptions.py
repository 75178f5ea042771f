"""SUBSCRIBE and UNSUBSCRIBE: only what lies in the device's own inbox."""

from dataclasses import dataclass, field

import mqtt5

from gateway.transports.mqtt_listener.records import Subscription
from gateway.transports.mqtt_listener.rights import Rights
from gateway.transports.mqtt_listener.sessions import Session, SessionBook

SUBSCRIPTIONS_PER_SESSION = 32
_SHARED = "$share/"

Code = mqtt5.SubAckReasonCode


@dataclass(slots=True)
class Grant:
    """What SUBACK says, which filters get retained messages with which QoS, and which were refused."""

    codes: list[Code] = field(default_factory=list)
    retained: list[tuple[str, int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def grant(book: SessionBook, session: Session, rights: Rights, packet: mqtt5.SubscribePacket) -> Grant:
    """Add the subscriptions that the device may have."""
    granted = Grant()
    for wanted in packet.topic_filters:
        code = _refusal(session, rights, wanted.pattern)
        if code is not None:
            granted.codes.append(code)
            granted.refused.append(wanted.pattern)
            continue
        qos = min(int(wanted.max_qos), 1)
        new = book.subscribe(session, wanted.pattern, Subscription(qos, wanted.retain_as_published))
        granted.codes.append(Code.GRANTED_QOS_AT_LEAST_ONCE if qos else Code.GRANTED_QOS_AT_MOST_ONCE)
        handling = int(wanted.retain_handling)
        if handling == 0 or (handling == 1 and new):
            granted.retained.append((wanted.pattern, qos))
    book.keep(session)
    return granted


def withdraw(
    book: SessionBook, session: Session, packet: mqtt5.UnsubscribePacket
) -> list[mqtt5.UnsubAckReasonCode]:
    """Take the subscriptions away and return what UNSUBACK says."""
    codes = [
        mqtt5.UnsubAckReasonCode.SUCCESS
        if book.unsubscribe(session, pattern)
        else mqtt5.UnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED
        for pattern in packet.patterns
    ]
    book.keep(session)
    return codes


def _refusal(session: Session, rights: Rights, topic_filter: str) -> Code | None:
    if topic_filter.startswith(_SHARED):
        return Code.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    if not rights.may_subscribe(topic_filter):
        return Code.NOT_AUTHORIZED
    subscriptions = session.record.subscriptions
    if topic_filter not in subscriptions and len(subscriptions) >= SUBSCRIPTIONS_PER_SESSION:
        return Code.QUOTA_EXCEEDED
    return None
