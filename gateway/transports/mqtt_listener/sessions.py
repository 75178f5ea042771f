"""All sessions of the listener: who listens to what, what waits for whom, what configuration is retained."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import msgspec

from gateway.contract import Clock, Refused
from gateway.transports.mqtt_listener.keeper import Keeper
from gateway.transports.mqtt_listener.records import (
    MESSAGE,
    RETAINED,
    SESSION,
    Message,
    Retained,
    SessionRecord,
    Subscription,
    key_of,
    kind_of,
)
from gateway.transports.mqtt_listener.topics import FilterTree, matches

SESSIONS_PER_DEVICE = 8
"""How many client ids one device may use at once; the session left longest ago makes room."""

_encode = msgspec.msgpack.Encoder().encode


class Session:
    """One session: its record, the messages that wait, and how to tell its connection of a new one."""

    __slots__ = ("on_message", "record", "waiting")

    def __init__(self, record: SessionRecord) -> None:
        self.record = record
        self.waiting: dict[int, Message] = {}
        self.on_message: Callable[[Message, int], None] | None = None

    @property
    def lasting(self) -> bool:
        """Whether it outlives its connection."""
        return self.record.expiry_s > 0


class SessionBook:
    """Every session and retained message, kept through the keeper; bounded by its limits."""

    def __init__(self, keeper: Keeper, clock: Clock, *, max_queued: int, max_sessions: int) -> None:
        self._keeper = keeper
        self._clock = clock
        self._max_queued = min(max_queued, 65_535)
        self._max_sessions = max_sessions
        self._sessions: dict[str, Session] = {}
        self._by_device: dict[str, dict[str, Session]] = {}
        self._tree: FilterTree[tuple[Session, Subscription]] = FilterTree()
        self._retained: dict[str, Retained] = {}
        self._kept: set[str] = set()
        self.on_acknowledged: Callable[[str, bytes], None] | None = None

    def __len__(self) -> int:
        return len(self._sessions)

    def restore(self, records: dict[str, bytes]) -> None:
        """Take the kept records back; a session whose connection the restart cut has left now."""
        messages: dict[str, list[Message]] = {}
        for key, raw in records.items():
            kind, parts = kind_of(key)
            if kind == SESSION:
                record = msgspec.msgpack.decode(raw, type=SessionRecord)
                record.left_at = record.left_at or self._clock.now()
                self._kept.add(key)
                self._add(Session(record))
            elif kind == MESSAGE:
                owner = key_of(SESSION, *parts[:2])
                messages.setdefault(owner, []).append(msgspec.msgpack.decode(raw, type=Message))
            elif kind == RETAINED:
                self._retained[parts[0]] = msgspec.msgpack.decode(raw, type=Retained)
        for owner, waiting in messages.items():
            session = self._sessions.get(owner)
            for message in sorted(waiting, key=lambda message: message.number):
                if session is not None:
                    session.waiting[message.number] = message
                    session.record.next = max(session.record.next, message.number + 1)

    def open(self, device: str, client_id: str, *, clean: bool, expiry_s: int) -> tuple[Session, bool]:
        """Return the session of a new connection, and whether it was there before.

        Refused when the device or the listener has too many sessions that are connected.
        """
        key = key_of(SESSION, device, client_id)
        session = self._sessions.get(key)
        if session is not None and (clean or self._expired(session)):
            self.end(session)
            session = None
        present = session is not None
        if session is None:
            self._make_room(device)
            session = Session(SessionRecord(device, client_id))
            self._add(session)
        session.record.expiry_s = expiry_s
        session.record.left_at = None
        self.keep(session)
        return session, present

    def connected(self, device: str) -> bool:
        """Tell whether a connection of the device is open, whichever its client id."""
        return any(session.record.left_at is None for session in self._by_device.get(device, {}).values())

    def left(self, session: Session) -> None:
        """The connection is gone: keep the session for as long as it was agreed, or end it."""
        session.on_message = None
        if session.lasting:
            session.record.left_at = self._clock.now()
            self.keep(session)
        else:
            self.end(session)

    def end(self, session: Session) -> None:
        """Forget a session and what waits in it."""
        record = session.record
        for topic_filter in list(record.subscriptions):
            self._tree.discard(topic_filter, record.key)
        for number in list(session.waiting):
            self.done(session, number)
        session.on_message = None
        if self._sessions.get(record.key) is session:
            del self._sessions[record.key]
            owned = self._by_device[record.device]
            del owned[record.client_id]
            if not owned:
                del self._by_device[record.device]
            if record.key in self._kept:
                self._kept.discard(record.key)
                self._keeper.put(record.key, None)

    def end_expired(self) -> None:
        """Forget the sessions whose time is over."""
        for session in [session for session in self._sessions.values() if self._expired(session)]:
            self.end(session)

    def keep(self, session: Session) -> None:
        """Write a session's record, if it is one that outlives its connection; take it away if not."""
        record = session.record
        if session.lasting:
            self._kept.add(record.key)
            self._keeper.put(record.key, _encode(record))
        elif record.key in self._kept:
            self._kept.discard(record.key)
            self._keeper.put(record.key, None)

    def subscribe(self, session: Session, topic_filter: str, subscription: Subscription) -> bool:
        """Add or replace a subscription; tell whether it is new."""
        new = topic_filter not in session.record.subscriptions
        session.record.subscriptions = {**session.record.subscriptions, topic_filter: subscription}
        self._tree.add(topic_filter, session.record.key, (session, subscription))
        return new

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        """Take a subscription away; tell whether it was there."""
        there = session.record.subscriptions.pop(topic_filter, None) is not None
        self._tree.discard(topic_filter, session.record.key)
        return there

    def retained(self, topic_filter: str) -> Iterator[Message]:
        """Return the retained messages that match a filter, as messages without a number."""
        now = self._clock.now()
        for topic, kept in self._retained.items():
            if matches(topic_filter, topic) and (kept.expires_at is None or kept.expires_at > now):
                yield Message(0, topic, kept.payload, retain=True, expires_at=kept.expires_at)

    def publish(self, topic: str, payload: bytes, *, retain: bool, expiry_s: float | None) -> int:
        """Give a message to every session that listens; return how many took it.

        Refused, and nothing queued, when a listener's queue is full of commands.
        """
        expires_at = None if expiry_s is None else self._clock.now() + timedelta(seconds=expiry_s)
        if retain:
            self._retain(topic, payload, expires_at)
        listeners: dict[str, tuple[Session, Subscription]] = {}
        for key, (session, subscription) in self._tree.find(topic):
            if key not in listeners or listeners[key][1].qos < subscription.qos:
                listeners[key] = (session, subscription)
        for session, subscription in listeners.values():
            if subscription.qos and not self._room(session, topic, retain=retain):
                raise Refused(f"{len(session.waiting)} messages already wait for the device: the limit")
        took = 0
        for session, subscription in listeners.values():
            kept = retain and subscription.as_published
            took += bool(subscription.qos or session.on_message)
            self.send(session, Message(0, topic, payload, kept, expires_at), subscription.qos)
        return took

    def send(self, session: Session, message: Message, qos: int) -> None:
        """Give one message to one session: now if it is connected, with QoS 1 also later."""
        if qos:
            number = session.record.next
            session.record.next = number + 1
            message = msgspec.structs.replace(message, number=number)
            session.waiting[number] = message
            if session.lasting:
                self._keeper.put(_message_key(session, number), _encode(message))
                self.keep(session)
        if session.on_message is not None:
            session.on_message(message, qos)

    def send_retained(self, session: Session, topic_filter: str, qos: int) -> None:
        """Send the retained configuration that a new subscription asks for, as far as the queue goes."""
        for message in list(self.retained(topic_filter)):
            if qos and not self._room(session, message.topic, retain=True):
                return
            self.send(session, message, qos)

    def acknowledged(self, session: Session, number: int) -> None:
        """The device has a message: tell who wants to know, and forget it."""
        message = session.waiting.get(number)
        if message is not None and self.on_acknowledged is not None:
            self.on_acknowledged(message.topic, message.payload)
        self.done(session, number)

    def done(self, session: Session, number: int) -> None:
        """A message was acknowledged, has expired or gave way."""
        if session.waiting.pop(number, None) is not None:
            self._keeper.put(_message_key(session, number), None)

    def _retain(self, topic: str, payload: bytes, expires_at: datetime | None) -> None:
        key = key_of(RETAINED, topic)
        if payload:
            self._retained[topic] = Retained(payload, expires_at)
            self._keeper.put(key, _encode(self._retained[topic]))
        elif self._retained.pop(topic, None) is not None:
            self._keeper.put(key, None)

    def _room(self, session: Session, topic: str, *, retain: bool) -> bool:
        """Make room in a queue: expired messages go, then older configuration of the same topic."""
        now = self._clock.now()
        for message in list(session.waiting.values()):
            unsent = message.number > session.record.sent
            replaced = retain and message.topic == topic and message.topic in self._retained
            over = message.expires_at is not None and message.expires_at <= now
            if unsent and (over or replaced):
                self.done(session, message.number)
        return len(session.waiting) < self._max_queued

    def _add(self, session: Session) -> None:
        record = session.record
        self._sessions[record.key] = session
        self._by_device.setdefault(record.device, {})[record.client_id] = session
        for topic_filter, subscription in record.subscriptions.items():
            self._tree.add(topic_filter, record.key, (session, subscription))

    def _make_room(self, device: str) -> None:
        owned = list(self._by_device.get(device, {}).values()) if device else []
        if len(owned) >= SESSIONS_PER_DEVICE:
            self._give_way(owned, "the device has too many sessions")
        elif len(self._sessions) >= self._max_sessions:
            self._give_way(list(self._sessions.values()), "the listener has too many sessions")

    def _give_way(self, sessions: list[Session], reason: str) -> None:
        away = [(session.record.left_at, session) for session in sessions if session.record.left_at]
        if not away:
            raise Refused(reason)
        self.end(min(away, key=lambda pair: pair[0])[1])

    def _expired(self, session: Session) -> bool:
        record = session.record
        if record.left_at is None:
            return False
        return (self._clock.now() - record.left_at).total_seconds() >= record.expiry_s


def _message_key(session: Session, number: int) -> str:
    return key_of(MESSAGE, session.record.device, session.record.client_id, f"{number:016d}")
