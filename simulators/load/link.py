"""One connection of the load generator: a window of unacknowledged packets that outlives the connection."""

import asyncio
from datetime import UTC, datetime

from gateway.contract.errors import ConfigurationError
from simulators.chance import stream
from simulators.load.ledger import Ledger
from simulators.load.packets import (
    CONNACK,
    PING,
    PUBACK,
    Template,
    again,
    connect_packet,
    puback_ids,
    split,
)
from simulators.load.plan import Plan

KEEP_ALIVE_S = 60
BATCH = 256
"""Packets that are encoded and written together."""

RETRY_S, RETRY_MAX_S, ANSWER_WITHIN_S = 0.05, 1.0, 10.0
LAST_PACKET_ID = 65_535

Sent = tuple[int, tuple[float, float], bytes, bytes]
"""Number of the message, its seconds after the start (intended, written), its `time`, its packet."""


class LoadLink(asyncio.Protocol):
    """Sends the messages number, number + connections, ... as far as `released` counts of them."""

    def __init__(self, plan: Plan, number: int, device: str, run: str, ledger: Ledger) -> None:
        self.plan, self.number, self.device, self.ledger = plan, number, device, ledger
        self.released = 0
        self._run = run.encode()
        self._plain, self._alarm = plan.templates(device, run)
        self._rng = stream(plan.seed, "load", device)
        self._base = int(run, 16)
        self._sent = 0
        self._packet_id = 0
        self._waiting: dict[int, Sent] = {}
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self._ready = self._writable = self._closed = False
        self._answer: asyncio.Future[int] | None = None
        self._again: asyncio.Task[None] | None = None

    # -- the connection

    async def start(self) -> None:
        """Connect, trying again until it is answered; ConfigurationError if the login is refused."""
        code = await self._connect()
        if code:
            raise ConfigurationError(f"{self.device}: the connection is refused with return code {code}")

    async def _connect(self) -> int:
        loop, broker, wait_s = asyncio.get_running_loop(), self.plan.broker, RETRY_S
        while True:
            self._answer = loop.create_future()
            try:
                await loop.create_connection(lambda: self, broker.host, broker.port, ssl=broker.context())
                return await asyncio.wait_for(self._answer, ANSWER_WITHIN_S)
            except (OSError, TimeoutError):
                await asyncio.sleep(wait_s)
                wait_s = min(RETRY_MAX_S, wait_s * 2)

    async def _connect_again(self) -> None:
        """After a loss a refusal is no user's mistake but a server that is not ready yet."""
        while await self._connect():  # noqa: ASYNC110 - each turn is a connection attempt
            await asyncio.sleep(RETRY_MAX_S)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio's promise for a stream
        self._transport, self._rest, self._writable = transport, b"", True
        password = self.plan.passwords.get(self.device)
        username = self.device if password is not None else None
        transport.write(connect_packet(self.device, username, password, KEEP_ALIVE_S))

    def connection_lost(self, _error: Exception | None) -> None:
        """Connect again; what was not acknowledged is kept."""
        was_ready, self._ready, self._transport = self._ready, False, None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("closed before CONNACK"))
        if was_ready and not self._closed:
            self.ledger.reconnects += 1
            self._again = asyncio.get_running_loop().create_task(self._connect_again())

    def pause_writing(self) -> None:
        """The socket is full."""
        self._writable = False

    def resume_writing(self) -> None:
        """The socket has room."""
        self._writable = True
        self.pump()

    def close(self) -> None:
        """End for good."""
        self._closed = True
        if self._again is not None:
            self._again.cancel()
        if self._transport is not None:
            self._transport.abort()

    def ping(self) -> None:
        """Keep an idle connection alive."""
        if self._ready and self._transport is not None:
            self._transport.write(PING)

    # -- what comes

    def data_received(self, data: bytes) -> None:
        """Count acknowledgements, then use the room that they made."""
        if self._rest:
            data = self._rest + data
        ids = puback_ids(data)
        if ids is None:
            self._read(data)
        else:
            self._rest = b""
            for packet_id in ids:
                self._acknowledge(packet_id)
        self.pump()

    def _read(self, data: bytes) -> None:
        end = 0
        for first, body, end in split(data):  # noqa: B007 - `end` is where the rest begins
            if first & 0xF0 == PUBACK:
                self._acknowledge(data[body] << 8 | data[body + 1])
            elif first & 0xF0 == CONNACK:
                self._welcome(data[body + 1])
        self._rest = data[end:]

    def _welcome(self, code: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(code)
        self._ready = not code
        if self._waiting and self._transport is not None and not code:
            self.ledger.resent += len(self._waiting)
            self.ledger.packets += len(self._waiting)
            self._transport.write(b"".join(again(sent[3]) for sent in self._waiting.values()))

    def _acknowledge(self, packet_id: int) -> None:
        sent = self._waiting.pop(packet_id, None)
        if sent is None:
            self.ledger.stray_acks += 1
            return
        number, times_s, time, _ = sent
        identity = (b"%b-%09d" % (self._run, number), time) if self.ledger.writes else (b"", b"")
        self.ledger.acknowledge(number, times_s, self.device, identity)

    # -- what goes

    def pump(self) -> None:
        """Send as many released messages as the window and the socket have room for."""
        while self._ready and self._writable and self._transport is not None:
            room = min(BATCH, self.plan.window - len(self._waiting), self.released - self._sent)
            if room <= 0:
                return
            packets = self._encode(room)
            if self.plan.reorder and self._rng.random() < self.plan.reorder:
                self._rng.shuffle(packets)
            self.ledger.packets += len(packets)
            self._transport.write(b"".join(packets))

    def _encode(self, count: int) -> list[bytes]:
        """Encode the next messages; flat out they share one intended moment, which is now."""
        packets: list[bytes] = []
        now_s = self.ledger.age_s()
        even, shared = self.plan.rate, self._time(now_s)
        for _ in range(count):
            number = self._sent * self.plan.connections + self.number
            intended_s = number / even if even else now_s
            self.ledger.lag.append(now_s - intended_s)
            time = self._time(intended_s) if even else shared
            packets.append(self._packet(number, (intended_s, now_s), time))
            if self.plan.duplicate and self._rng.random() < self.plan.duplicate:
                self.ledger.duplicated += 1
                packets.append(self._packet(number, (intended_s, now_s), time))
            self._sent += 1
        return packets

    def _packet(self, number: int, times_s: tuple[float, float], time: bytes) -> bytes:
        every = self.plan.alarm_every
        form: Template = self._alarm if every and number % every == every - 1 else self._plain
        packet_id = self._next_id()
        packet = form.packet(packet_id, number, time, self._base + self._sent)
        self._waiting[packet_id] = (number, times_s, time, packet)
        return packet

    def _next_id(self) -> int:
        while True:
            self._packet_id = self._packet_id % LAST_PACKET_ID + 1
            if self._packet_id not in self._waiting:
                return self._packet_id

    def _time(self, after_s: float) -> bytes:
        moment = datetime.fromtimestamp(self.ledger.started_at + after_s, UTC)
        return moment.isoformat(timespec="microseconds").encode()
