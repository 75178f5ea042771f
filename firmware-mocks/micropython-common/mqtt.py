# MQTT 3.1.1 client: QoS 0 and 1, will, retain, user and password, keep-alive, persistent session.
# Runs on CPython and MicroPython (ESP32, unix, wasm). Section numbers are those of the OASIS standard 3.1.1.
import socket
import struct

MAX_PACKET = 4096       # larger incoming packets end the connection: a board has no room for them
TIMEOUTS = (11, 110, 115, 116, 119, "timed out", "The read operation timed out")


class MQTTError(Exception):
    pass


def _s(v):
    if isinstance(v, str):
        v = v.encode()
    return struct.pack("!H", len(v)) + v


class Client:
    """`ticks` gives milliseconds that never jump. `on_message(topic, payload)`; `on_ack(token)`."""

    def __init__(self, ticks, client_id, host, port, user, password, keepalive, wrap=None):
        self.ticks, self.id, self.host, self.port = ticks, client_id, host, port
        self.user, self.password, self.keepalive, self.wrap = user, password, keepalive, wrap
        self.will = None            # (topic, payload, qos, retain)
        self.on_message = None
        self.on_ack = None
        self.unacked = []           # [packet id, first byte, body, token]: in order, kept until PUBACK
        self.sock = None
        self._pid = 0
        self._buf = b""
        self._tx = self._ping = 0

    # -- connection

    def connect(self, timeout_s=10):
        """Connect and send again what was not acknowledged, with DUP, in order (4.4, 4.6)."""
        self.close()
        self._buf = b""
        address = socket.getaddrinfo(self.host, self.port)[0][-1]
        self.sock = socket.socket()
        self.sock.settimeout(timeout_s)
        self.sock.connect(address)
        try:
            self.sock.setsockopt(6, 1, 1)   # TCP_NODELAY: else every message waits for a delayed ACK
        except (AttributeError, OSError):
            pass
        if self.wrap:
            self.sock = self.wrap(self.sock, self.host)
        self._send(0x10, self._hello())
        kind, body = self._await(timeout_s)
        if kind != 0x20 or len(body) != 2 or body[1]:
            raise MQTTError("refused %r" % (body,))
        self._ping = 0
        self.unacked = [entry for entry in self.unacked if entry[3] is not None]    # states are said anew
        for entry in self.unacked:
            self._send(entry[1] | 0x08, entry[2])
        return bool(body[0] & 1)

    def _hello(self):
        flags, tail = 0, _s(self.id)
        if self.will:
            topic, payload, qos, retain = self.will
            flags |= 0x04 | qos << 3 | (0x20 if retain else 0)
            tail += _s(topic) + _s(payload)
        if self.user is not None:
            flags |= 0x80
            tail += _s(self.user)
            if self.password is not None:
                flags |= 0x40
                tail += _s(self.password)
        return _s("MQTT") + b"\x04" + bytes([flags]) + struct.pack("!H", self.keepalive) + tail

    def _await(self, timeout_s):
        t = self.ticks()
        while self.ticks() - t <= timeout_s * 1000:
            p = self._packet(0.2)
            if p:
                return p
        raise MQTTError("no CONNACK")

    def disconnect(self):
        """Say goodbye: the will is not spoken."""
        if self.sock:
            try:
                self._send(0xE0, b"")
            except OSError:
                pass
        self.close()

    def close(self):
        if self.sock:
            try:
                self.sock.close()
            except OSError:
                pass
        self.sock = None

    # -- out

    def publish(self, topic, payload, qos=1, retain=False, token=None):
        if isinstance(payload, str):
            payload = payload.encode()
        first, body = 0x30 | qos << 1 | (1 if retain else 0), _s(topic)
        if qos:
            pid = self._next()
            body += struct.pack("!H", pid) + payload
            self.unacked.append([pid, first, body, token])
        else:
            body += payload
        self._send(first, body)

    def subscribe(self, topics):
        body = struct.pack("!H", self._next())
        for topic in topics:
            body += _s(topic) + b"\x01"
        self._send(0x82, body)

    def _next(self):
        used = [entry[0] for entry in self.unacked]
        while True:
            self._pid = self._pid % 65535 + 1
            if self._pid not in used:
                return self._pid

    # -- in

    def loop(self, timeout_s):
        """Handle what arrives within the time; raises OSError or MQTTError when the link is gone."""
        self._keep_alive()
        p = self._packet(timeout_s)
        while p:
            self._handle(p[0], p[1])
            p = self._packet(0)

    def _keep_alive(self):
        if not self.keepalive:
            return
        now = self.ticks()
        if self._ping and now - self._ping > self.keepalive * 1000:
            raise MQTTError("no PINGRESP")
        if not self._ping and now - self._tx > self.keepalive * 500:
            self._send(0xC0, b"")
            self._ping = self.ticks()

    def _handle(self, first, body):
        kind = first & 0xF0
        if kind in (0x30, 0x40, 0x90) and len(body) < 2:
            raise MQTTError("broken packet")
        if kind == 0x30:
            self._receive(first, body)
        elif kind == 0x40:
            pid = struct.unpack("!H", body[:2])[0]
            for n, entry in enumerate(self.unacked):
                if entry[0] == pid:
                    del self.unacked[n]
                    if self.on_ack:
                        self.on_ack(entry[3])
                    break
        elif kind == 0x90 and 0x80 in body[2:]:
            raise MQTTError("subscription refused")
        elif kind == 0xD0:
            self._ping = 0

    def _receive(self, first, body):
        n = struct.unpack("!H", body[:2])[0]
        if 4 + n > len(body) and (first & 6 or 2 + n > len(body)):
            raise MQTTError("broken packet")
        topic, rest = body[2:2 + n].decode(), body[2 + n:]
        qos = first >> 1 & 3
        if qos:
            pid, rest = rest[:2], rest[2:]
        if self.on_message:
            self.on_message(topic, rest)
        if qos == 1:
            self._send(0x40, pid)       # after the message was taken care of

    # -- wire

    def _send(self, first, body):
        n, head = len(body), bytearray([first])
        while True:
            n, low = n >> 7, n & 0x7F
            head.append(low | (0x80 if n else 0))
            if not n:
                break
        data = bytes(head) + body
        if not self.sock:
            raise MQTTError("closed")
        self.sock.settimeout(10)
        while data:
            data = data[self.sock.send(data):]
        self._tx = self.ticks()

    def _parse(self):
        b, n, i = self._buf, 0, 1
        while True:
            if len(b) <= i:
                return None
            n |= (b[i] & 0x7F) << 7 * (i - 1)
            i += 1
            if not b[i - 1] & 0x80:
                break
            if i > 4:
                raise MQTTError("remaining length")
        if n > MAX_PACKET:
            raise MQTTError("packet of %d bytes" % n)
        if len(b) < i + n:
            return None
        self._buf = b[i + n:]
        return b[0], b[i:i + n]

    def _packet(self, timeout_s):
        p = self._parse()
        if p:
            return p
        if not self.sock:
            raise MQTTError("closed")
        self.sock.settimeout(timeout_s or 0.001)
        try:
            d = self.sock.recv(1024)
        except OSError as e:
            if e.args and e.args[0] in TIMEOUTS:
                return None
            raise
        if not d:
            raise MQTTError("closed by the other side")
        self._buf += d
        return self._parse()
