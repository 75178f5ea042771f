"""SIP from strangers: whatever is changed in a message, the endpoint goes on, and its memory is bounded."""

import asyncio
import random
from pathlib import Path

import pytest

from adapters.scaip import ADAPTER
from gateway.contract import Sender
from gateway.model.frame import Frame
from gateway.model.registry import Registry, RegistryDocument
from gateway.service.clock import SystemClock
from gateway.sip import make_sip
from gateway.sip_settings import SipSettings
from gateway.transports.sip.transactions import GIVE_UP_S, Served

GOOD = (
    b"MESSAGE sip:arc@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1;rport\r\n"
    b'From: "A, B" <sip:26317@127.0.0.1;user=phone>;tag=1\r\nTo: <sip:arc@127.0.0.1>\r\nCall-ID: c@1\r\n'
    b"CSeq: 7 MESSAGE\r\nContact: <sip:26317@127.0.0.1:5070>\r\nContent-Type: application/scaip+xml\r\n"
    b'Authorization: Digest username="a", realm="vaka", nonce="1-2-3", uri="sip:a", response="0"\r\n'
    b"Content-Length: 57\r\n\r\n<mrq><ref>1</ref><cid>26317</cid><dty>0003</dty></mrq>   "
)
PIECES = (
    b"\r\n",
    b":",
    b";",
    b"<",
    b">",
    b'"',
    b",",
    b"=",
    b"\x00",
    b"\xff",
    b"-1",
    b"99999999999",
    b"sip:",
    b"[::",
)


class Heard:
    """A link that keeps what was sent."""

    protocol, reliable, peer, own = "UDP", False, ("127.0.0.1", 5070), ("127.0.0.1", 5060)

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, data: bytes, to: tuple[str, int] | None = None) -> bool:
        assert to is None or to[0] == self.peer[0], "an answer left for another host"
        self.sent.append(data)
        return True


class Taking:
    """An intake that has everything on disk at once."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def offer(self, frame: Frame, sender: Sender | None = None, token: int = 0) -> bool:
        self.frames.append(frame)
        asyncio.get_running_loop().call_soon(lambda: sender.durable([token]) if sender else None)
        return True

    async def accept(self, frame: Frame) -> int:
        raise NotImplementedError(frame)


def changed(chance: random.Random) -> bytes:
    data = bytearray(GOOD)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        if chance.random() < 0.5:
            data[at : at + chance.randint(0, 12)] = chance.choice(PIECES)
        else:
            data[at] = chance.randrange(256)
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.1 else data)


@pytest.mark.parametrize("asked", [False, True], ids=["open", "digest"])
def test_no_change_to_a_message_brings_the_endpoint_to_fall(tmp_path: Path, *, asked: bool) -> None:
    users = tmp_path / "users"
    users.write_text(f"a:vaka:{'0' * 32}\n")

    async def scenario() -> tuple[int, int]:
        intake, link, chance = Taking(), Heard(), random.Random(7)
        settings = SipSettings(enabled=True, udp_port=0, tcp_port=None, users=users if asked else None)
        endpoint = make_sip(settings, [ADAPTER], lambda: Registry(RegistryDocument()), intake, SystemClock())
        assert endpoint is not None
        await endpoint.start()
        for _ in range(2000):
            endpoint.received(changed(chance), link)
            await asyncio.sleep(0)
        await endpoint.stop()
        return endpoint.standing.unauthorised if asked else len(intake.frames), endpoint.standing.malformed

    answered, malformed = asyncio.run(scenario())
    assert answered > 100
    assert malformed > 100


def test_requests_are_remembered_for_their_time_and_in_a_bounded_number() -> None:
    served = Served(most=3)
    assert [served.heard(name, 0.0) for name in "abcd"] == [False] * 4
    assert len(served) == 3
    assert not served.heard("a", 1.0), "the oldest was forgotten"
    served.answered("d", b"200", 1.0)
    assert served.heard("d", 2.0)
    assert served.answer("d") == b"200"
    assert not served.heard("d", 2.0 + GIVE_UP_S)
