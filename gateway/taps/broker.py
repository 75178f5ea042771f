"""Broker: CloudEvents to an MQTT 5 broker at QoS 1; a message is handed over when its PUBACK is here.

A connection is kept while there is something to send: nothing is pinged, and an idle one is made anew.
"""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from secrets import token_hex
from urllib.parse import urlsplit

import mqtt5

from gateway.contract import ConfigurationError, Handed, TapFault
from gateway.tap_settings import CloudEventsSettings
from gateway.taps.envelope import Message
from gateway.taps.hook import ONE

ANSWER_WITHIN_S = 15.0
WINDOW = 100
IDLE_S, KEEP_ALIVE_S = 20.0, 60
FAULTS = (
    mqtt5.PubAckReasonCode.NOT_AUTHORIZED,
    mqtt5.PubAckReasonCode.QUOTA_EXCEEDED,
    mqtt5.PubAckReasonCode.PACKET_ID_IN_USE,
)
"""Refusals that concern the account, the load or the session, and no single message."""
REFUSED = 0x80
MAX_REASON = 160


class Broker:
    """Publishes messages in order to `{topic}/{type}`, never retained."""

    def __init__(self, settings: CloudEventsSettings) -> None:
        self._settings = settings
        self._client_id = f"vaka-tap-{settings.name}-{token_hex(4)}"
        self._link: _Link | None = None
        try:
            _context(settings)
        except OSError as error:  # ssl.SSLError among them
            raise ConfigurationError(
                f"taps.cloudevents {settings.name}: ca {settings.ca}: {error}"
            ) from error

    def parts(self, waiting: Sequence[Message]) -> Iterator[Sequence[Message]]:
        """Yield messages as they go together: a window of unacknowledged ones."""
        for start in range(0, len(waiting), WINDOW):
            yield waiting[start : start + WINDOW]

    async def send(self, part: Sequence[Message]) -> Sequence[Handed]:
        """Publish messages and wait for every PUBACK; TapFault when the broker is disturbed."""
        if self._link is not None:
            with suppress(TapFault):  # it may have been over since we last looked
                return await self._once(part)
        return await self._once(part)

    async def _once(self, part: Sequence[Message]) -> Sequence[Handed]:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await self._publish(part)
        except TimeoutError as error:
            await self.close()
            raise TapFault(f"no answer within {ANSWER_WITHIN_S:.0f} s") from error
        except (OSError, EOFError, ValueError) as error:
            await self.close()
            raise TapFault(f"no connection ({type(error).__name__})") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Say goodbye."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def _publish(self, part: Sequence[Message]) -> Sequence[Handed]:
        if self._link is not None and self._link.idle:
            await self.close()
        if self._link is None:
            self._link = await self._connected()
        handed: list[Handed] = []
        most = min(WINDOW, self._link.receive_max)
        for start in range(0, len(part), most):
            handed += await self._window(self._link, part[start : start + most])
        return handed

    async def _window(self, link: "_Link", part: Sequence[Message]) -> list[Handed]:
        refused: dict[int, str] = {}
        sent: set[int] = set()
        for number, message in enumerate(part, 1):
            packet = self._packet(number, message)
            if link.max_bytes is not None and len(packet) > link.max_bytes:
                refused[number] = f"{len(packet)} bytes, the broker takes {link.max_bytes}"
            else:
                sent.add(number)
                link.write(packet)
        await link.drain()
        while sent:
            answer = await link.read()
            if isinstance(answer, mqtt5.PubAckPacket) and answer.packet_id in sent:
                sent.discard(answer.packet_id)
                if reason := _refusal(answer):
                    refused[answer.packet_id] = reason
        return [
            Handed(
                item=message.item,
                refused=refused.get(number, ""),
                body=message.body if number in refused else b"",
            )
            for number, message in enumerate(part, 1)
        ]

    def _packet(self, number: int, message: Message) -> bytes:
        packet = mqtt5.PublishPacket(
            f"{self._settings.topic}/{message.type}",
            message.body,
            qos=mqtt5.QoS.AT_LEAST_ONCE,
            packet_id=number,
            payload_format_indicator=1,
            content_type=ONE,
        )
        return packet.write()

    async def _connected(self) -> "_Link":
        settings = self._settings
        parts = urlsplit(settings.url)
        secure = parts.scheme == "mqtts"
        context = _context(settings) if secure else None
        port = parts.port or (8883 if secure else 1883)
        link = _Link(*await asyncio.open_connection(parts.hostname, port, ssl=context))
        try:
            password = settings.password.get_secret_value().encode() if settings.password else None
            hello = mqtt5.ConnectPacket(
                self._client_id,
                username=settings.username,
                password=password,
                clean_start=True,
                keep_alive=KEEP_ALIVE_S,
            )
            link.write(hello.write())
            link.welcome(await link.read())
        except BaseException:
            await link.close()
            raise
        return link


class _Link:
    """One connection: packets out, packets in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.write = writer.write
        self.drain = writer.drain
        self.receive_max = 65_535
        self.max_bytes: int | None = None
        self._heard_at = 0.0

    @property
    def idle(self) -> bool:
        """True when it is over, or may be without our knowing."""
        return self._reader.at_eof() or asyncio.get_running_loop().time() - self._heard_at > IDLE_S

    def welcome(self, answer: mqtt5.Packet) -> None:
        """Note what the broker can take; TapFault when it lets nobody in."""
        if not isinstance(answer, mqtt5.ConnAckPacket) or int(answer.reason_code) >= REFUSED:
            code = getattr(answer, "reason_code", None)
            raise TapFault(f"the broker refused: {getattr(code, 'name', 'no CONNACK')}")
        self.receive_max, self.max_bytes = answer.receive_max, answer.max_packet_size

    async def read(self) -> mqtt5.Packet:
        """Return the next packet; TapFault when the broker says goodbye."""
        head = await self._reader.readexactly(1)
        length, shift = 0, 0
        while True:
            byte = await self._reader.readexactly(1)
            head += byte
            length |= (byte[0] & 0x7F) << shift
            shift += 7
            if byte[0] < REFUSED:
                break
            if shift > 21:
                raise ValueError("remaining length")
        packet, _ = mqtt5.read(memoryview(head + await self._reader.readexactly(length)))
        self._heard_at = asyncio.get_running_loop().time()
        if isinstance(packet, mqtt5.DisconnectPacket):
            raise TapFault(f"the broker closed: {packet.reason_code.name}")
        return packet

    async def close(self) -> None:
        with suppress(OSError):
            self._writer.write(mqtt5.DisconnectPacket().write())
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await self._writer.wait_closed()


def _refusal(answer: mqtt5.PubAckPacket) -> str:
    """Return why a message was refused for good; TapFault when it is not the message's fault."""
    code = answer.reason_code
    if code in FAULTS:
        raise TapFault(f"the broker refused: {code.name}")
    return f"{code.name} {answer.reason_str or ''}".strip()[:MAX_REASON] if int(code) >= REFUSED else ""


def _context(settings: CloudEventsSettings) -> ssl.SSLContext:
    """Read the authority anew, so that a renewed one is used at the next connection."""
    context = ssl.create_default_context(cafile=settings.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
