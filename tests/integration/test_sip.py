"""The SIP way in over real sockets: transactions, replies after the disk, digest, limits."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from honest_intake import HonestIntake, until
from sip_unit import Unit, alarm, credentials, in_loop

from adapters.scaip import ADAPTER
from gateway.contract import ConfigurationError
from gateway.model.frame import Transport
from gateway.model.registry import Registry, RegistryDocument
from gateway.service.clock import SystemClock
from gateway.sip import make_sip
from gateway.sip_settings import SipSettings
from gateway.transports.sip import SipEndpoint

KINDS = pytest.mark.parametrize("kind", ["UDP", "TCP", "TLS"])


class House:
    def __init__(self, endpoint: SipEndpoint, intake: HonestIntake, context: ssl.SSLContext) -> None:
        self.endpoint, self.intake, self._context = endpoint, intake, context
        self.units: list[Unit] = []

    async def unit(self, user: str = "26317", *, kind: str = "UDP", deaf: bool = False) -> Unit:
        made = Unit(user, transport=kind, deaf=deaf)
        self.units.append(made)
        context = self._context if kind == "TLS" else None
        return await made.connect(self.endpoint.ports[kind.lower()], context)


Opened = Callable[..., Any]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def house(tmp_path: Path, authority: trustme.CA) -> Opened:
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))

    @asynccontextmanager
    async def opened(intake: HonestIntake | None = None, **keys: Any) -> AsyncIterator[House]:
        tls = {"certificate": certificate, "key": key}
        ports = {"udp_port": 0, "tcp_port": 0, "tls_port": 0, "tls": tls}
        settings = SipSettings.model_validate({"enabled": True} | ports | keys)
        intake = intake or HonestIntake()
        endpoint = make_sip(settings, [ADAPTER], lambda: Registry(RegistryDocument()), intake, SystemClock())
        assert endpoint is not None
        context = ssl.create_default_context()
        authority.configure_trust(context)
        await endpoint.start()
        made = House(endpoint, intake, context)
        try:
            yield made
        finally:
            for unit in made.units:
                await unit.close()
            await endpoint.stop()

    return opened


@KINDS
@in_loop
async def test_an_alarm_is_acknowledged_and_replied_to_with_its_own_ref(house: Opened, kind: str) -> None:
    async with house() as made:
        unit = await made.unit(kind=kind)

        assert (await unit.ask(alarm("00001A85"))).status == 200
        reply = await unit.reply()

        assert (reply.field("ref"), reply.snu) == ("00001A85", "0")
        assert reply.start.startswith("MESSAGE sip:26317@")
        [frame] = made.intake.durable
        assert (frame.transport, frame.channel, frame.ingress) == (Transport.SIP, "sip/26317", "sip")
        await until(lambda: made.endpoint.standing.replies == 1)
        assert made.endpoint.standing.unanswered == 0


@KINDS
@in_loop
async def test_nothing_is_acknowledged_before_the_frame_is_on_disk(house: Opened, kind: str) -> None:
    async with house(HonestIntake(by_itself=False)) as made:
        unit = await made.unit(kind=kind)
        sent = unit.request(alarm())
        unit.raw(sent)
        unit.raw(sent)  # a repeat of what waits is told nothing either
        only = await unit.ask("", "OPTIONS")  # whatever was to come has come by now
        assert only["cseq"].endswith("OPTIONS")
        assert unit.replies.empty()
        assert unit.responses.empty()

        made.intake.commit()

        assert (await unit.response()).status == 200
        assert (await unit.reply()).snu == "0"


@in_loop
async def test_a_retransmission_has_the_same_response_and_makes_no_second_frame(house: Opened) -> None:
    async with house() as made:
        unit = await made.unit()
        sent = unit.request(alarm())
        unit.raw(sent)
        first = await unit.response()
        await unit.reply()
        unit.raw(sent)
        second = await unit.response()

        assert first.headers == second.headers
        assert (len(made.intake.durable), made.endpoint.standing.repeated) == (1, 1)


@in_loop
async def test_another_alarm_in_what_calls_itself_the_same_request_is_taken_too(house: Opened) -> None:
    async with house() as made:
        unit = await made.unit()
        sent = unit.request(alarm("1"))
        for request in (sent, sent.replace(b"<ref>1<", b"<ref>2<")):
            unit.raw(request)
            assert (await unit.response()).status == 200
            assert (await unit.reply()).snu == "0"
        assert len(made.intake.durable) == 2


@in_loop
async def test_a_reference_sent_again_in_a_new_request_gets_the_same_reply(house: Opened) -> None:
    async with house() as made:
        unit = await made.unit()
        bodies = []
        for _ in range(2):
            await unit.ask(alarm("77"))
            bodies.append((await unit.reply()).body)
        assert bodies[0] == bodies[1]


@in_loop
async def test_a_reply_that_is_not_answered_is_sent_again_over_udp(house: Opened) -> None:
    async with house() as made:
        unit = await made.unit(deaf=True)
        await unit.ask(alarm())
        first, again = await unit.reply(), await unit.reply()
        assert first.headers == again.headers


@KINDS
@in_loop
async def test_a_dialect_has_the_reply_inside_the_200_once_on_disk(house: Opened, kind: str) -> None:
    async with house(HonestIntake(by_itself=False), peer=[{"users": ["26317"]}]) as made:
        unit = await made.unit(kind=kind)
        sent = unit.request(alarm("9"))
        unit.raw(sent)
        await until(lambda: made.intake.waiting)
        if kind == "UDP":
            unit.raw(sent)
            await until(lambda: made.endpoint.standing.repeated)
        assert unit.responses.empty()

        made.intake.commit()

        answer = await unit.response()
        assert (answer.status, answer.field("ref"), answer.snu) == (200, "9", "0")
        assert unit.replies.empty()
        assert len(made.intake.durable) == 1


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ("<mrq><ref>5</ref><cid>1</cid></mrq>", "7"),
        ("this is no XML", "2"),
        (alarm("5").replace("ME", "XX"), "3"),
        (alarm("5") + " " * 5000, "1"),
        ("<mrq><ref>5</ref><mty>PI</mty><cid>1</cid><dty>0002</dty><stc>0102</stc></mrq>", "0"),
    ],
)
@in_loop
async def test_the_reply_says_what_was_wrong_with_the_message(house: Opened, body: str, number: str) -> None:
    async with house() as made:
        unit = await made.unit()
        assert (await unit.ask(body)).status == 200
        assert (await unit.reply()).snu == number
        assert len(made.intake.durable) == 1
        assert bool(made.intake.durable[0].fault) is (number == "1")


@in_loop
async def test_an_unknown_unit_is_refused_where_that_is_wished(house: Opened) -> None:
    async with house(unknown_units="refuse") as made:
        unit = await made.unit()
        await unit.ask(alarm())
        assert (await unit.reply()).snu == "5"


@in_loop
async def test_a_user_may_be_kept_to_its_own_unit(house: Opened) -> None:
    async with house(own_unit_only=True) as made:
        stranger, own = await made.unit("999"), await made.unit()
        await stranger.ask(alarm())
        await own.ask(alarm())
        assert ((await stranger.reply()).snu, (await own.reply()).snu) == ("5", "0")
        assert [bool(frame.fault) for frame in made.intake.durable] == [True, False]


@in_loop
async def test_a_full_gateway_says_so_and_takes_the_same_request_later(house: Opened) -> None:
    intake = HonestIntake(by_itself=False, limit=1)
    async with house(intake) as made:
        unit = await made.unit()
        unit.raw(unit.request(alarm("1")))
        sent = unit.request(alarm("2"))
        unit.raw(sent)
        refused = await unit.response()
        assert (refused.status, refused["retry-after"]) == (503, "5")
        intake.commit()
        assert (await unit.response()).status == 200
        unit.raw(sent)
        await until(lambda: intake.waiting)
        intake.commit()
        assert (await unit.response()).status == 200


@pytest.mark.parametrize(
    ("method", "status"),
    [("OPTIONS", 200), ("INVITE", 405), ("REGISTER", 405), ("CANCEL", 481), ("SHOUT", 501)],
)
@in_loop
async def test_other_methods_are_answered_with_what_is_served(
    house: Opened, method: str, status: int
) -> None:
    async with house() as made:
        unit = await made.unit()
        answer = await unit.ask("", method)
        assert (answer.status, answer["allow"]) == (status, "MESSAGE, OPTIONS")
        assert not made.intake.durable


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"To": ""}, 400), ({"CSeq": "1 OPTIONS"}, 400), ({"Require": "100rel"}, 420),
     ({"Content_Length": "9999"}, 400), ({"Call_ID": "x" * 300}, 400)],
)  # fmt: skip
@in_loop
async def test_a_request_that_is_wrong_is_told_so(
    house: Opened, headers: dict[str, str], status: int
) -> None:
    async with house() as made:
        unit = await made.unit()
        assert (await unit.ask(alarm(), **headers)).status == status
        assert not made.intake.durable


@in_loop
async def test_noise_costs_nothing_but_a_count(house: Opened) -> None:
    async with house() as made:
        unit = await made.unit()
        for noise in (
            b"\x00" * 500,
            b"MESSAGE\r\n\r\n",
            b"SIP/2.0 huh\r\n\r\n",
            b"\xff\xfe MESSAGE sip:a SIP/2.0\r\n\r\n",
        ):
            unit.raw(noise)
        assert (await unit.ask(alarm())).status == 200
        assert made.endpoint.standing.malformed == 4


@pytest.mark.parametrize(
    "raw", [b"A" * 20_000, b"MESSAGE sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\n", b"HELLO\r\n\r\n"]
)
@in_loop
async def test_a_stream_that_cannot_be_cut_ends(house: Opened, raw: bytes) -> None:
    async with house() as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.endpoint.ports["tcp"])
        writer.write(raw)
        assert await asyncio.wait_for(reader.read(), 60) == b""
        writer.close()
        await until(lambda: made.endpoint.standing.malformed == 1)


@in_loop
async def test_a_message_may_arrive_in_bytes_one_by_one_and_several_at_once(house: Opened) -> None:
    async with house() as made:
        unit = await made.unit(kind="TCP")
        for byte in unit.request(alarm("1")):
            unit.raw(bytes([byte]))
            await asyncio.sleep(0)
        assert (await unit.response()).status == 200
        unit.raw(b"\r\n" + b"".join(unit.request(alarm(str(n))) for n in range(2, 12)))
        refs = {(await unit.reply()).field("ref") for _ in range(11)}
        assert refs == {str(n) for n in range(1, 12)}


@in_loop
async def test_a_ping_of_a_connection_has_its_pong(house: Opened) -> None:
    async with house() as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.endpoint.ports["tcp"])
        writer.write(b"\r\n\r\n")
        assert await asyncio.wait_for(reader.readexactly(2), 60) == b"\r\n"
        writer.close()


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 60) == b""
    except ConnectionError:
        return True


@in_loop
async def test_a_slow_peer_and_one_too_many_are_let_go_and_others_are_served(house: Opened) -> None:
    async with house(slow_s=0.1, max_connections=2) as made:
        port = made.endpoint.ports["tcp"]
        slow, slow_writer = await asyncio.open_connection("127.0.0.1", port)
        slow_writer.write(b"MESSAGE sip:a SIP/2.0\r\n")
        unit = await made.unit(kind="TCP")
        surplus, surplus_writer = await asyncio.open_connection("127.0.0.1", port)

        assert [await ended(reader) for reader in (surplus, slow)] == [True, True]
        assert (await unit.ask(alarm())).status == 200
        assert (made.endpoint.standing.slow, made.endpoint.standing.surplus) == (1, 1)
        slow_writer.close()
        surplus_writer.close()


@in_loop
async def test_a_reply_finds_a_unit_that_has_closed_its_connection_at_its_contact(house: Opened) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readuntil(b"</mrs>"))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with house(HonestIntake(by_itself=False)) as made, server:
        unit = await made.unit(kind="TCP")
        unit.raw(unit.request(alarm("42"), Contact=f"<sip:26317@127.0.0.1:{port};transport=tcp>"))
        await until(lambda: made.intake.waiting)
        await unit.close()
        await until(lambda: made.endpoint.standing.connections == 0)
        made.intake.commit()
        assert b"<ref>42</ref>" in await asyncio.wait_for(heard.get(), 60)


@in_loop
async def test_a_reply_never_leaves_for_another_host_than_the_request_came_from(house: Opened) -> None:
    async with house() as made:
        unit = await made.unit()
        await unit.ask(alarm(), Contact="<sip:victim@192.0.2.1:5060>")
        assert (await unit.reply()).snu == "0"


def line(user: str, password: str, algorithm: str = "MD5") -> str:
    make = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]
    return f"{user}:vaka:{make(f'{user}:vaka:{password}'.encode()).hexdigest()}\n"


def users_file(folder: Path, algorithm: str) -> Path:
    path = folder / "users"
    path.write_text("# units\n" + line("26317", "secret", algorithm))
    return path


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@in_loop
async def test_a_unit_proves_who_it_is_and_each_proof_serves_once(
    house: Opened, tmp_path: Path, algorithm: str
) -> None:
    async with house(users=users_file(tmp_path, algorithm)) as made:
        unit = await made.unit()
        asked = await unit.ask(alarm())
        assert asked.status == 401
        [challenge] = asked.all("www-authenticate")
        assert f"algorithm={algorithm}" in challenge

        proof = credentials(challenge, "26317", "secret")
        assert (await unit.ask(alarm(), Authorization=proof)).status == 200
        replayed = await unit.ask(alarm(), Authorization=proof)
        assert replayed.status == 401
        assert "stale=true" in replayed["www-authenticate"]
        wrong = credentials(challenge, "26317", "guess", nc=2)
        assert (await unit.ask(alarm(), Authorization=wrong)).status == 401
        made_up = credentials(challenge.replace('nonce="', 'nonce="1'), "26317", "secret")
        assert (await unit.ask(alarm(), Authorization=made_up)).status == 401
        assert [frame.source for frame in made.intake.durable] == ["26317"]


@in_loop
async def test_a_user_cannot_speak_for_another_and_a_new_user_needs_no_restart(
    house: Opened, tmp_path: Path
) -> None:
    path = users_file(tmp_path, "MD5")
    async with house(users=path) as made:
        other = await made.unit("31415")
        challenge = (await other.ask(alarm()))["www-authenticate"]
        stolen = credentials(challenge, "26317", "secret")
        assert (await other.ask(alarm(), Authorization=stolen)).status == 403
        assert not made.intake.durable

        path.write_text(path.read_text() + line("31415", "own"))
        own = credentials(challenge, "31415", "own", nc=2)
        assert (await other.ask(alarm(), Authorization=own)).status == 200


@in_loop
async def test_a_trusted_network_is_asked_for_no_password(house: Opened, tmp_path: Path) -> None:
    async with house(users=users_file(tmp_path, "MD5"), trusted=["127.0.0.0/8"]) as made:
        unit = await made.unit()
        assert (await unit.ask(alarm())).status == 200


@pytest.mark.parametrize("text", ["26317:vaka:short\n", "no colons\n"])
@in_loop
async def test_a_file_of_users_that_is_wrong_is_told_by_its_line(
    house: Opened, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "users"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="line 1: found another form"):
        async with house(users=path):
            pass


@in_loop
async def test_a_unit_that_asks_is_told_its_heartbeat_interval(house: Opened) -> None:
    async with house(interval=3) as made:
        unit = await made.unit()
        await unit.ask("<mrq><ref>1</ref><mty>PI</mty><hbo>1</hbo><cid>26317</cid><dty>0002</dty></mrq>")
        assert (await unit.reply()).field("hbi") == "3"
