"""An MQTT broker in memory: QoS 0 and 1, persistent sessions, retained messages, wills, receive-maximum.

From the text of MQTT 5.0 and 3.1.1; section numbers are those of 5.0. It lives in virtual time and can
be stopped as by a power cut, keeping its sessions or losing them. It checks no passwords.
"""

import asyncio
from collections import deque
from collections.abc import Iterable

import mqtt5
import msgspec

from simulators.protocol.network import Door, NetworkLoop, Pipe
from simulators.protocol.packets import KEPT_S, QOS, Stream, write

KEEP_ALIVE_FACTOR = 1.5
"""Section 3.1.2.10: how long beyond the keep alive a silent client is borne."""
MAX_QUEUED = 100_000
"""Messages of QoS 1 that wait for one session; the newest beyond it are dropped and counted."""


class Note(msgspec.Struct, frozen=True):
    """One application message on its way to one session."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class Session:
    """What outlives a connection (section 4.1): filters, and the messages that are not acknowledged yet."""

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        self.filters: dict[str, int] = {}
        self.queue: deque[Note] = deque()
        self.flying: dict[int, Note] = {}
        self.expiry_s = 0
        self.peer: Peer | None = None
        self.ending: asyncio.TimerHandle | None = None
        self.will: asyncio.TimerHandle | None = None
        self._packet_id = 0

    def next_id(self) -> int:
        """Return a packet identifier that is free."""
        while True:
            self._packet_id = self._packet_id % 65_535 + 1
            if self._packet_id not in self.flying:
                return self._packet_id


class Broker:
    """Listens on a port of the network in memory."""

    def __init__(self, loop: NetworkLoop, port: int) -> None:
        self.loop, self.port = loop, port
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, Note] = {}
        self.received = self.dropped = 0
        self._exact: dict[str, dict[str, Session]] = {}
        self._wild: dict[str, dict[str, Session]] = {}
        self._door: Door | None = None

    def start(self) -> None:
        """Open the port."""
        self._door = self.loop.network.listen(self.port, lambda: Peer(self))

    def stop(self, *, keeping: bool = True) -> None:
        """Stop as a power cut does; `keeping`: its sessions and retained messages are on disk."""
        for session in self.sessions.values():
            session.peer = None  # so that nobody's will is spoken: the broker is not there to do it
        self.loop.network.power_off(self.port)
        self._door = None
        if not keeping:
            self.sessions, self.retained, self._exact, self._wild = {}, {}, {}, {}

    # -- sessions

    def open(self, packet: mqtt5.ConnectPacket, peer: "Peer") -> tuple[Session, bool]:
        """Give a client its session, new or kept (section 3.1.2.4), and take it from another connection."""
        session = self.sessions.get(packet.client_id)
        if session is not None and session.peer is not None:
            session.peer.taken_over()
        if session is not None and packet.clean_start:
            self.end(session)
            session = None
        present = session is not None
        if session is None:
            session = self.sessions[packet.client_id] = Session(packet.client_id)
        for timer in (session.ending, session.will):
            if timer is not None:
                timer.cancel()
        session.ending = session.will = None
        session.peer, session.expiry_s = peer, packet.session_expiry_interval
        return session, present

    def left(self, session: Session, will: mqtt5.Will | None) -> None:
        """A connection has ended: speak its will, and end the session when its time is over."""
        session.peer = None
        if will is not None:
            delay_s = min(will.will_delay_interval, session.expiry_s)
            session.will = self.loop.call_later(delay_s, self.speak, will)
        if not session.expiry_s:
            self.end(session)
        elif session.expiry_s != KEPT_S:
            session.ending = self.loop.call_later(session.expiry_s, self.end, session)

    def end(self, session: Session) -> None:
        """Forget a session."""
        if self.sessions.get(session.client_id) is session:
            del self.sessions[session.client_id]
        for pattern in session.filters:
            self._book(pattern).get(pattern, {}).pop(session.client_id, None)

    # -- messages

    def subscribe(self, session: Session, wanted: mqtt5.TopicFilter) -> Iterable[Note]:
        """Enter a filter; return the retained messages to be sent for it (section 3.3.1.3)."""
        pattern, known = wanted.pattern, wanted.pattern in session.filters
        session.filters[pattern] = min(1, int(wanted.max_qos))
        self._book(pattern).setdefault(pattern, {})[session.client_id] = session
        handling = int(wanted.retain_handling)
        if handling == 2 or (handling == 1 and known):
            return []
        return [note for topic, note in self.retained.items() if matches(pattern, topic)]

    def speak(self, will: mqtt5.Will) -> None:
        """Publish a last will."""
        self.publish(will.topic, will.payload or b"", int(will.qos), retain=will.retain)

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool) -> None:
        """Pass a message to every session that wants it, and keep a retained one."""
        self.received += 1
        if retain and payload:
            self.retained[topic] = Note(topic, payload, qos, retain=True)
        elif retain:
            self.retained.pop(topic, None)
        wanted: dict[str, tuple[Session, int]] = {}
        for session in self._exact.get(topic, {}).values():
            wanted[session.client_id] = (session, session.filters[topic])
        for pattern, sessions in self._wild.items():
            if sessions and matches(pattern, topic):
                for session in sessions.values():
                    best = max(session.filters[pattern], wanted.get(session.client_id, (session, 0))[1])
                    wanted[session.client_id] = (session, best)
        for session, most in wanted.values():
            self.pass_on(session, Note(topic, payload, min(qos, most), retain=False))

    def pass_on(self, session: Session, note: Note) -> None:
        """Send a message to a session, or keep it there (QoS 1)."""
        if session.peer is None and not note.qos:
            return
        if len(session.queue) >= MAX_QUEUED:
            self.dropped += 1
            return
        session.queue.append(note)
        if session.peer is not None:
            session.peer.pump()

    def _book(self, pattern: str) -> dict[str, dict[str, Session]]:
        return self._wild if "+" in pattern or "#" in pattern else self._exact


class Peer(asyncio.Protocol):
    """One connection to the broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self._stream = broker, Stream()
        self._pipe: Pipe | None = None
        self._session: Session | None = None
        self._will: mqtt5.Will | None = None
        self._window = 65_535
        self._silence_s = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._heard_s = 0.0
        self._writable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for CONNECT."""
        if isinstance(transport, Pipe):
            self._pipe = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason changes nothing
        """Leave the session to the broker."""
        if self._watch is not None:
            self._watch.cancel()
        session, self._session = self._session, None
        if session is not None and session.peer is self:
            self._broker.left(session, self._will)

    def pause_writing(self) -> None:
        """The client does not read."""
        self._writable = False

    def resume_writing(self) -> None:
        """The client reads again."""
        self._writable = True
        self.pump()

    def taken_over(self) -> None:
        """Another connection has come with the same client id (section 3.1.4): its will is spoken."""
        session, self._session = self._session, None
        if session is not None and self._will is not None:
            self._broker.speak(self._will)
        self._send(mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER))
        self._end()

    def data_received(self, data: bytes) -> None:
        """Read packets; a broken one ends the connection."""
        self._heard_s = self._broker.loop.time()
        try:
            for packet in self._stream.feed(data):
                self._take(packet)
        except ValueError:
            self._end()

    def _take(self, packet: mqtt5.Packet) -> None:
        session = self._session
        if isinstance(packet, mqtt5.ConnectPacket):
            self._connect(packet)
        elif session is None:
            self._end()
        elif isinstance(packet, mqtt5.PublishPacket):
            self._publish(packet)
        elif isinstance(packet, mqtt5.PubAckPacket):
            session.flying.pop(packet.packet_id, None)
            self.pump()
        elif isinstance(packet, mqtt5.SubscribePacket):
            self._subscribe(session, packet)
        elif isinstance(packet, mqtt5.PingReqPacket):
            self._send(mqtt5.PingRespPacket())
        elif isinstance(packet, mqtt5.DisconnectPacket):
            if not int(packet.reason_code):
                self._will = None
            self._end()

    def _connect(self, packet: mqtt5.ConnectPacket) -> None:
        if self._session is not None or not packet.client_id:
            self._end()
            return
        self._session, present = self._broker.open(packet, self)
        self._will, self._window = packet.will, packet.receive_max
        self._silence_s = packet.keep_alive * KEEP_ALIVE_FACTOR
        self._send(mqtt5.ConnAckPacket(session_present=present, max_qos=QOS[1]))
        self._look()
        again, self._session.flying = self._session.flying, {}
        for number, note in again.items():
            self._session.flying[number] = note
            self._pass(note, number, again=True)
        self.pump()

    def _publish(self, packet: mqtt5.PublishPacket) -> None:
        self._broker.publish(packet.topic, packet.payload, min(1, int(packet.qos)), retain=packet.retain)
        if packet.packet_id is not None:
            self._send(mqtt5.PubAckPacket(packet.packet_id))

    def _subscribe(self, session: Session, packet: mqtt5.SubscribePacket) -> None:
        codes, kept = [], []
        for wanted in packet.topic_filters:
            kept += [(note, min(1, int(wanted.max_qos))) for note in self._broker.subscribe(session, wanted)]
            granted = mqtt5.SubAckReasonCode
            high = granted.GRANTED_QOS_AT_LEAST_ONCE
            codes.append(high if int(wanted.max_qos) else granted.GRANTED_QOS_AT_MOST_ONCE)
        self._send(mqtt5.SubAckPacket(packet.packet_id, codes))
        for note, most in kept:
            self._broker.pass_on(session, msgspec.structs.replace(note, qos=min(note.qos, most)))

    def pump(self) -> None:
        """Send what waits, as far as the client's receive-maximum allows (section 4.9)."""
        session = self._session
        while session is not None and session.queue and self._writable:
            note = session.queue[0]
            if note.qos and len(session.flying) >= self._window:
                return
            session.queue.popleft()
            number = session.next_id() if note.qos else None
            if number is not None:
                session.flying[number] = note
            self._pass(note, number, again=False)

    def _pass(self, note: Note, number: int | None, *, again: bool) -> None:
        self._send(
            mqtt5.PublishPacket(
                note.topic,
                note.payload,
                qos=QOS[note.qos],
                retain=note.retain,
                packet_id=number,
                duplicate=again,
            )
        )

    def _look(self) -> None:
        """End a connection whose client has been silent for too long."""
        now_s = self._broker.loop.time()
        if self._silence_s and now_s - self._heard_s >= self._silence_s:
            self._end()
        elif self._silence_s:
            self._watch = self._broker.loop.call_at(self._heard_s + self._silence_s, self._look)

    def _send(self, packet: mqtt5.Packet) -> None:
        if self._pipe is not None and self._stream.level is not None:
            self._pipe.write(write(packet, self._stream.level))

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()


def matches(pattern: str, topic: str) -> bool:
    """Tell whether a topic matches a filter (section 4.7)."""
    if pattern[:1] in {"+", "#"} and topic[:1] == "$":
        return False
    wanted, levels = pattern.split("/"), topic.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in {"+", levels[place]}:
            return False
    return len(wanted) == len(levels)
