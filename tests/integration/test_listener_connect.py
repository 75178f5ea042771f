import asyncio
import gc
import logging
import random
import socket
import tracemalloc

import mqtt5
import pytest
from honest_intake import HonestIntake, until
from listener_kit import LEVELS, OTHER, OWN, Peer, serving

from gateway.model.frame import Frame

BAD_PASSWORD = {4: 134, 5: 134}  # MQTT 3.1.1 return code 4 reads as 134


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("lock-1", b"wrong"),
        ("lock-1", b""),
        ("nobody", b"x"),
        ("lock-1", b"\xff"),
        ("sos-1", b"pw-of-lock-1"),
    ],
)
def test_bad_credentials_are_refused_traced_and_not_written_anywhere(
    level: int, name: str, password: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.peer(level)
            await peer.connect(name, password=password)
            assert int(peer.connack.reason_code) == BAD_PASSWORD[level]
            assert await peer.receive() is None
            await until(lambda: served.faults)
            assert "bad user name, password or certificate" in served.faults[0]
            assert served.intake.durable[0].payload == b""
            assert served.listener.counters.refused == 1

    with caplog.at_level(logging.DEBUG, "gateway"):
        asyncio.run(story())
    assert name not in caplog.text
    assert len(password) < 3 or password.decode(errors="ignore") not in caplog.text


@pytest.mark.parametrize("level", LEVELS)
def test_nobody_is_anonymous_unless_it_is_allowed(level: int) -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.peer(level)
            await peer.connect("", client_id="c", username=None, password=None)
            assert int(peer.connack.reason_code) == 134
        async with serving(anonymous=True) as served:
            peer = await served.peer(level)
            await peer.connect("", client_id="c", username=None, password=None)
            assert int(peer.connack.reason_code) == 0
            peer.publish(1, OTHER)
            await peer.acknowledgements(1)
            peer.publish(2, "unread/by/any/adapter")
            await peer.acknowledgements(1)
            good, bad = served.intake.durable
            assert (good.source, good.channel, good.fault) == ("", OTHER, "")
            assert "outside" in bad.fault

    asyncio.run(story())


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ("100f00064d514973647003020001000161", b"\x20\x02\x00\x01"),
        ("100d00044d5154540302003c000161", b"\x20\x02\x00\x01"),
        ("100d00044d5154540602003c000161", b"\x20\x03\x00\x84\x00"),
    ],
)
def test_another_protocol_level_is_answered_and_traced(raw: str, answer: bytes) -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.peer()
            peer.raw(bytes.fromhex(raw))
            async with asyncio.timeout(5):
                assert await peer.streams[0].read() == answer
            assert "protocol name" in served.faults[0]
            assert "3.1.2.2" in served.faults[0]

    asyncio.run(story())


def test_an_empty_client_id_gets_one_or_is_refused() -> None:
    async def story() -> None:
        async with serving() as served:
            new = await served.device(5, client_id="")
            assert (new.connack.assigned_client_id or "").startswith("auto-")
            await served.device(4, client_id="", clean_start=True)
            old = await served.peer(4)
            await old.connect("lock-1", client_id="", clean_start=False)
            assert int(old.connack.reason_code) == 133

    asyncio.run(story())


def test_enhanced_authentication_is_refused() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.peer()
            await peer.connect("lock-1", authentication_method="SCRAM-SHA-256")
            assert int(peer.connack.reason_code) == 0x8C

    asyncio.run(story())


@pytest.mark.parametrize("level", LEVELS)
def test_the_same_client_id_of_the_same_device_takes_over(level: int) -> None:
    async def story() -> None:
        async with serving() as served:
            first = await served.device(level)
            second = await served.device(level)
            last = await first.receive()
            if level == 5:
                assert isinstance(last, mqtt5.DisconnectPacket)
                assert int(last.reason_code) == 0x8E
                last = await first.receive()
            assert last is None
            assert await second.alive()
            assert served.listener.counters.taken_over == 1

    asyncio.run(story())


def test_another_device_cannot_take_a_session_by_its_client_id() -> None:
    async def story() -> None:
        async with serving() as served:
            first = await served.device(client_id="shared")
            second = await served.device(name="sos-1", client_id="shared")
            assert await first.alive()
            assert await second.alive()

    asyncio.run(story())


@pytest.mark.parametrize("level", LEVELS)
def test_silence_past_the_keep_alive_ends_the_connection(level: int) -> None:
    async def story() -> None:
        async with serving() as served:
            loop = asyncio.get_running_loop()
            peer = await served.device(level, keep_alive=1)
            quiet = await served.device(level, "sos-1", keep_alive=60)
            started = loop.time()
            while loop.time() - started < 2.5:
                assert await peer.alive()
                await asyncio.sleep(0.3)
            spoke = loop.time()
            last = await peer.receive()
            assert 1.0 <= loop.time() - spoke <= 4
            if level == 5:
                assert isinstance(last, mqtt5.DisconnectPacket)
                assert int(last.reason_code) == 0x8D
            assert await quiet.alive()
            assert served.listener.counters.timeouts == 1

    asyncio.run(story())


def test_who_says_nothing_or_half_a_connect_is_cut_in_time() -> None:
    async def story() -> None:
        async with serving(connect_timeout_s=0.3) as served:
            silent, slow = await served.peer(), await served.peer()
            slow.raw(b"\x10\x20\x00")
            assert await silent.receive() is None
            assert await slow.receive() is None
            assert "no CONNECT in time" in served.faults[0]

    asyncio.run(story())


def test_connections_over_the_limit_are_told_so() -> None:
    async def story() -> None:
        async with serving(max_connections=1) as served:
            first = await served.device()
            second = await served.peer()
            await second.connect("sos-1")
            assert int(second.connack.reason_code) == 0x89
            third = await served.peer(4)
            await third.connect("sos-1")
            assert int(third.connack.reason_code) == 0x88
            assert await first.alive()
            await first.leave()
            await until(lambda: served.listener.counters.connections == 0)
            await served.device(name="sos-1")

    asyncio.run(story())


def test_packets_out_of_place_are_a_protocol_error() -> None:
    async def story() -> None:
        async with serving() as served:
            for packet in (
                mqtt5.ConnectPacket("again"),
                mqtt5.PingRespPacket(),
                mqtt5.AuthPacket(),
                mqtt5.PubRecPacket(1),
                mqtt5.ConnAckPacket(),
            ):
                peer = await served.device()
                peer.send(packet)
                last = await peer.receive()
                assert isinstance(last, mqtt5.DisconnectPacket)
                assert int(last.reason_code) == 0x82
            assert len(served.faults) == 5

    asyncio.run(story())


def test_a_malformed_packet_is_named_after_those_before_it_are_taken() -> None:
    async def story() -> None:
        async with serving() as served:
            peer = await served.device()
            good = mqtt5.PublishPacket(OWN, b"good", qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=1).write()
            peer.raw(good + b"\x32\x08\x00\x03\xff\xfe\xfd\x00\x02\x00")
            last = await peer.receive()
            assert isinstance(last, mqtt5.DisconnectPacket)
            assert int(last.reason_code) == 0x81
            assert [frame.payload for frame in served.intake.durable if not frame.fault] == [b"good"]
            assert served.faults[0].startswith("MQTT 5.0 section 1.5.4: text is not UTF-8")
            assert served.intake.durable[-1].payload.startswith(b"\x32\x08\x00\x03\xff")

    asyncio.run(story())


async def _garbage(port: int, rng: random.Random, connect: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if rng.random() < 0.5:
        writer.write(connect)
    writer.write(rng.randbytes(rng.choice((1, 20, 300, 5000))))
    writer.write_eof()
    try:
        async with asyncio.timeout(10):
            await reader.read()
    except ConnectionError:
        pass
    writer.transport.abort()


def test_random_garbage_fills_neither_memory_nor_the_disk() -> None:
    async def story() -> None:
        rng = random.Random(7)
        connect = mqtt5.ConnectPacket("lock-1", username="lock-1", password=b"pw-of-lock-1").write()
        async with serving() as served:
            port = served.listener.port
            for _ in range(4):
                await asyncio.gather(*(_garbage(port, rng, connect) for _ in range(50)))
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(16):
                await asyncio.gather(*(_garbage(port, rng, connect) for _ in range(50)))
            served.intake.durable.clear()
            await until(lambda: served.listener.counters.connections == 0)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
            assert grown < 2_000_000
            assert served.listener.counters.faults >= 500
            healthy = await served.device()
            assert await healthy.alive()

    asyncio.run(story())


def test_faults_over_the_rate_are_counted_and_told_in_one_frame() -> None:
    async def story() -> None:
        async with serving(receive_maximum=65535) as served:
            peer = await served.device()
            for number in range(1, 2601):
                peer.publish(number, OTHER)
            answers = await peer.acknowledgements(2600)
            assert {code for _, code in answers} == {135}
            assert len(served.faults) == 2000
            served.clock.pass_s(5)
            await until(lambda: len(served.faults) == 2001)
            assert "600 more faults were counted" in served.faults[-1]
            assert served.listener.counters.faults == 2600

    asyncio.run(story())


def test_a_device_that_reads_nothing_is_not_read_and_then_given_up() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        async with serving() as served:
            deaf = socket.socket()
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.settimeout(0)
            await loop.sock_connect(deaf, ("127.0.0.1", served.listener.port))
            connect = mqtt5.ConnectPacket("lock-1", username="lock-1", password=b"pw-of-lock-1", keep_alive=1)
            await loop.sock_sendall(deaf, connect.write())
            sent = 0
            stuck = False
            while not stuck and sent < 100_000_000:
                try:
                    async with asyncio.timeout(1):
                        await loop.sock_sendall(deaf, b"\xc0\x00" * 50_000)
                    sent += 100_000
                except TimeoutError:
                    stuck = True
            assert stuck
            await until(lambda: served.listener.counters.timeouts == 1)
            assert sent < 20_000_000
            deaf.close()

    asyncio.run(story())


def test_a_flood_of_one_device_leaves_the_others_their_turn() -> None:
    async def story() -> None:
        async with serving() as served:
            flood, sos = await served.device(4), await served.device(4, "sos-1")
            flood.raw(b"\xc0\x00" * 2_000_000)
            started = asyncio.get_running_loop().time()
            sos.publish(1, OTHER, b"SOS")
            assert await sos.acknowledgements(1) == [(1, 0)]
            assert asyncio.get_running_loop().time() - started < 2
            flood.cut()

    asyncio.run(story())


class _OnlyFaults(HonestIntake):
    def offer(self, frame: Frame, sender: object = None, token: int = 0) -> bool:
        assert frame.fault
        return super().offer(frame, sender, token)  # type: ignore[arg-type]


def test_credentials_in_a_broken_connect_are_not_evidence() -> None:
    async def story() -> None:
        async with serving(intake=_OnlyFaults()) as served:
            raw = bytearray(mqtt5.ConnectPacket("c", username="u", password=b"opensesame").write())
            raw[9] |= 1
            peer: Peer = await served.peer()
            peer.raw(bytes(raw))
            assert await peer.receive() is None
            cut = await served.peer()
            cut.raw(bytes(raw[:-1]))
            cut.streams[1].close()
            await until(lambda: len(served.faults) == 2)
            assert not any(b"sesam" in frame.payload for frame in served.intake.durable)

    asyncio.run(story())
