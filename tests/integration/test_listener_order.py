"""PUBACKs in order, reading outside the intake's turn, wills of devices that came back, TLS that failed."""

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import mqtt5
import pytest
import uvloop
from honest_intake import HonestIntake, until
from listener_kit import LEVELS, OTHER, Served, certificates, serving

from gateway.config import ListenerTls

STATUS = "vaka/1/t/lock-1/status"


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def commit(served: Served, *places: int) -> None:
    """Let only those of the waiting frames reach the disk, in that order."""
    waiting = served.intake.waiting
    served.intake.waiting = [waiting[place] for place in places]
    served.intake.commit()
    served.intake.waiting = [one for place, one in enumerate(waiting) if place not in places]


@pytest.mark.parametrize("level", LEVELS)
def test_pubacks_keep_their_order_when_an_urgent_frame_overtakes(level: int) -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False)) as served:
            peer = await served.device(level)
            for number in (7, 3, 5, 9):
                peer.publish(number)
            await until(lambda: len(served.intake.waiting) == 4)
            commit(served, 3, 1)
            assert await peer.quiet()
            commit(served, 0)
            assert await peer.acknowledgements(2) == [(7, 0), (3, 0)]
            assert await peer.quiet()
            commit(served, 0)
            assert await peer.acknowledgements(2) == [(5, 0), (9, 0)]
            assert served.intake.waiting == []

    run(story())


def test_a_refused_frame_is_acknowledged_in_its_place() -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False)) as served:
            peer = await served.device(5)
            peer.publish(1)
            peer.publish(2, OTHER)
            await until(lambda: len(served.intake.waiting) == 2)
            commit(served, 1)
            assert await peer.quiet()
            commit(served, 0)
            assert await peer.acknowledgements(2) == [(1, 0), (2, 0x87)]

    run(story())


def test_an_identifier_used_twice_is_acknowledged_twice_and_takes_no_room_for_ever() -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False), receive_maximum=3) as served:
            peer = await served.device(4)
            for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)) * 2:
                for number in (1, 2, 2):
                    peer.publish(number)
                await until(lambda: len(served.intake.waiting) == 3)
                commit(served, *order)
                assert sorted(await peer.acknowledgements(3)) == [(1, 0), (2, 0), (2, 0)]

    run(story())


def test_what_a_device_sends_next_is_not_read_in_the_intakes_turn() -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False), receive_maximum=2) as served:
            peer = await served.device(4)
            for number in range(1, 7):
                peer.publish(number)
            for _ in range(3):
                await until(lambda: len(served.intake.waiting) == 2)
                served.intake.commit()
                assert served.intake.waiting == []
            assert len(await peer.acknowledgements(6)) == 6

    run(story())


def will(delay_s: int = 0) -> mqtt5.Will:
    return mqtt5.Will(STATUS, payload=b"lost", qos=mqtt5.QoS.AT_LEAST_ONCE, will_delay_interval=delay_s)


@pytest.mark.parametrize("level", LEVELS)
def test_the_will_of_a_connection_left_behind_is_void_while_the_device_has_another(level: int) -> None:
    async def story() -> None:
        async with serving() as served:
            old = await served.device(level, client_id="before", will=will())
            new = await served.device(level, client_id="after", will=will())
            old.cut()
            await until(lambda: served.listener.counters.connections == 1)
            assert await new.alive()
            assert served.intake.payloads == []
            new.cut()
            await until(lambda: served.intake.payloads)
            assert served.intake.payloads == [b"lost"]

    run(story())


def test_a_delayed_will_is_void_when_the_device_is_back_under_another_name() -> None:
    async def story() -> None:
        async with serving() as served:
            old = await served.device(client_id="before", will=will(60), session_expiry_interval=600)
            old.cut()
            await until(lambda: served.listener.counters.connections == 0)
            new = await served.device(client_id="after")
            served.clock.pass_s(61)
            served.listener._wills.offer_due()
            assert await new.alive()
            assert served.intake.payloads == []
            await new.leave()
            served.clock.pass_s(61)
            served.listener._wills.offer_due()
            assert served.intake.payloads == []

    run(story())


def test_the_will_of_another_device_is_not_held_back() -> None:
    async def story() -> None:
        async with serving() as served:
            await served.device(name="sos-1")
            lock = await served.device(will=will())
            lock.cut()
            await until(lambda: served.intake.payloads)
            assert served.intake.payloads == [b"lost"]

    run(story())


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_tls_handshake_that_fails_is_counted_and_named(
    tmp_path: Path, loop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    made, strange = certificates(tmp_path), tmp_path / "strange"
    strange.mkdir()
    others = certificates(strange)
    files = {"certificate": made["server_cert"], "key": made["server_key"], "client_ca": made["ca"]}

    def context(authority: Path, **identity: Path) -> ssl.SSLContext:
        made_here = ssl.create_default_context(cafile=str(authority))
        if identity:
            made_here.load_cert_chain(identity["cert"], identity["key"])
        return made_here

    async def story() -> None:
        async with serving(tls=ListenerTls(**files, require_client=True)) as served:
            port = served.listener.port

            def say(how: ssl.SSLContext | None) -> None:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
                    peer = how.wrap_socket(plain, server_hostname="127.0.0.1") if how else plain
                    peer.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00" * 4)
                    peer.recv(100)
                    peer.close()

            async def attempt(how: ssl.SSLContext | None) -> None:
                before = served.listener.counters.tls_failed
                with suppress(OSError):
                    await asyncio.to_thread(say, how)
                await until(lambda: served.listener.counters.tls_failed == before + 1)

            await attempt(None)
            await attempt(context(made["ca"]))
            await attempt(context(others["ca"]))
            await attempt(context(made["ca"], cert=others["client_cert"], key=others["client_key"]))
            await until(lambda: len(served.faults) == 4)
            clause = "RFC 8446 section 6.2: TLS handshake failed: "
            assert all(fault.startswith(clause) for fault in served.faults)
            reasons = [fault.removeprefix(clause) for fault in served.faults]
            assert "peer did not return a certificate" in reasons[1]
            assert "unknown ca" in reasons[2]
            assert "the device's certificate" in reasons[3]
            assert served.listener.counters.connections == 0

    with asyncio.Runner(loop_factory=loop) as runner, caplog.at_level("INFO"):
        runner.run(story())
    assert caplog.text.count("TLS handshake failed") == 4
