"""Declaration, exclusions, test hooks, prompts and the cutting of packets: each alone."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import mqtt5
import pytest
from virtual_bench import BASE, declared, play, rig

from gateway.conformance.declaration import read_declaration
from gateway.conformance.exclusions import read_exclusions
from gateway.conformance.hooks import HttpHook, MqttHook
from gateway.conformance.ports import Answer, CannotDriveError, Said
from gateway.conformance.prompts import Terminal
from gateway.conformance.wire import Wire
from gateway.contract import ConfigurationError
from gateway.transports.mqtt_codec import encode

GOOD = """
[device]
vendor = "Exempel AB"
product = "L1"
firmware = "1.0.0"
kind = "lock"
[connection]
tenant = "demo"
device = "lock-1"
password = "secret-of-the-device"
[pics]
mqtt = ["5"]
events = ["lock.locked", "lock.unlocked"]
commands = ["lock"]
"""


def test_a_declaration_claims_flags_that_cases_ask_for(tmp_path: Path) -> None:
    file = tmp_path / "device.toml"
    file.write_text(GOOD)
    found = read_declaration(file)
    assert {"event:lock.locked", "command:lock", "commands", "mqtt:5"} <= found.flags
    assert not {"config", "telemetry", "tls"} & found.flags
    assert "secret-of-the-device" not in found.public()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "lock"', 'kind = "fridge"', "device.kind: found 'fridge'; allowed: "),
        ('"lock.locked"', '"lock.lokced"', "found 'lock.lokced'; allowed: words of the vocabulary"),
        ('mqtt = ["5"]', "mqtt = []", "pics.mqtt: found"),
        ("[device]", "[device]\ncolour = 1", "device.colour: found a key that does not exist"),
        ("[pics]", '[tester]\nby = "http"\n[pics]', "tester.url: found None; allowed: an address"),
        ("[device]", '[device]\nfirmware_file = "no.bin"', "device.firmware_file: found no file"),
        ('password = "secret-of-the-device"', "password = 1", "connection.password: found *** (not shown)"),
        ('tenant = "demo"', 'tenant = "de/mo"', "connection.tenant: found 'de/mo'"),
        ("[device]", "[device", "found a fault in the TOML"),
    ],
)
def test_a_fault_in_a_declaration_is_one_line_with_file_key_found_and_allowed(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    file = tmp_path / "device.toml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigurationError) as error:
        read_declaration(file)
    assert said in str(error.value)
    assert str(error.value).startswith(str(file))
    assert len(str(error.value).splitlines()) == 1


def test_the_kits_own_exclusions_can_be_read() -> None:
    assert all(one.challenge and one.reason for one in read_exclusions())


def test_an_exclusion_without_its_challenge_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "out.toml"
    file.write_text('[[excluded]]\ncase = "TC-1"\nreason = "so"\nsince = 2026-12-01\n')
    with pytest.raises(ConfigurationError, match="challenge: found nothing"):
        read_exclusions(file)


def test_packets_are_cut_the_same_however_the_bytes_come() -> None:
    packets = [
        mqtt5.ConnectPacket("lock-1", username="u", password=b"hidden"),
        mqtt5.PublishPacket("a/b", b"x" * 300, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=7),
        mqtt5.PingReqPacket(),
    ]
    data = b"".join(encode(packet, 4) for packet in packets)
    for size in (1, 2, 3, 7, len(data)):
        wire = Wire(None)
        found = [cut for at in range(0, len(data), size) for cut in wire.feed(data[at : at + size])]
        assert [cut.kind for cut in found] == ["CONNECT", "PUBLISH", "PINGREQ"]
        assert b"".join(cut.wire for cut in found) == data
        assert not [cut for cut in found if b"hidden" in cut.raw]


@pytest.mark.parametrize("data", [b"\x10\xff\xff\xff\xff\xff", b"\x10\xff\xff\xff\x7f", b"\x30\x02\x00\x00"])
def test_what_is_no_packet_is_marked_once_and_passed_on_as_it_is(data: bytes) -> None:
    wire = Wire(None)
    found = [*wire.feed(data), *wire.feed(b"more")]
    assert [cut.kind for cut in found] == ["MALFORMED", "UNREAD"]
    assert b"".join(cut.wire for cut in found) == data + b"more"
    assert found[0].remark


def test_the_mqtt_hook_is_asked_and_answers_through_the_probe_and_our_side_hears_nothing_of_it(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with rig(tmp_path) as one:
            hook = MqttHook(declared(tester={"by": "mqtt"}), one.probe)
            asked: list[dict[str, Any]] = []

            def hear(_device: str, leaf: str, payload: bytes) -> None:
                body = json.loads(payload)
                assert leaf == "test"
                asked.append(body)
                good = body["do"] == "reset"
                answer = {"id": body["id"], "outcome": "done" if good else "refused", "reason": "no battery"}
                one.device.say("tested", answer)

            with pytest.raises(CannotDriveError, match="nobody subscribes"):
                await hook.do("reset", {})
            one.device.on()
            assert await one.bench.link()
            await one.bench.listening()
            one.probe._inbox.add(f"{BASE}/test")  # as a device with a hook subscribes
            one.device.client.heard = hear
            await hook.do("reset", {"after_s": 2})
            with pytest.raises(CannotDriveError, match="no battery"):
                await hook.do("battery", {"percent": 3})
            one.device.client.heard = lambda *_: None
            with pytest.raises(CannotDriveError, match="did not answer"):
                await hook.do("reset", {})
            assert [body["do"] for body in asked] == ["reset", "battery"]
            assert asked[0]["after_s"] == 2
            assert not [seen for seen in one.record if seen.kind == "PUBLISH" and "/test" in seen.topic]
            assert one.device.client.settled

    play(work)


def test_the_http_hook_posts_and_a_refusal_or_silence_is_told() -> None:
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        heard.append(head.split(b"\r\n")[0] + b" " + await reader.readexactly(size))
        good = b"/event" in head
        status, body = (b"204 No Content", b"") if good else (b"501 Not Implemented", b"no clock")
        lines = b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
        writer.write(lines % (status, len(body), body))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def work() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        hook = HttpHook(f"http://127.0.0.1:{port}/", frozenset({"event"}))
        async with server:
            await hook.do("event", {"type": "lock.locked"})
            with pytest.raises(CannotDriveError, match="501 no clock"):
                await hook.do("clock", {"unset": True})
        with pytest.raises(CannotDriveError, match="cannot be reached"):
            await hook.do("event", {})

    asyncio.run(work())
    assert heard[0] == b'POST /event HTTP/1.1 {"type":"lock.locked"}'


@pytest.mark.parametrize(
    ("typed", "answer"), [(b"\n", Answer.DONE), (b"nej\n", Answer.CANNOT), (b"", Answer.LATE)]
)
def test_a_prompt_is_answered_by_a_line_or_by_the_time(typed: bytes, answer: Answer, tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, typed)
    asks = (tmp_path / "asks").open("w+")

    async def work() -> Answer:
        return await Terminal(asks, answers, "sv").ask(Said("Press", "Tryck"), 0.3)

    with asks, open(ours) as answers, open(theirs, "wb", buffering=0):  # noqa: PTH123 - open descriptors
        assert asyncio.run(work()) is answer
        asks.seek(0)
        assert "Tryck" in asks.read()
