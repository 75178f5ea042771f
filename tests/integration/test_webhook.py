import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI, Header, HTTPException
from honest_intake import HonestIntake

from gateway.model.frame import MAX_PAYLOAD_BYTES, Transport
from gateway.service.clock import SystemClock
from gateway.transports.webhook import webhook_router

SENDERS = {"Bearer right": "vendor-cloud", "Bearer reader": ""}


def authorise(authorization: str = Header("")) -> str:
    name = SENDERS.get(authorization)
    if name is None:
        raise HTTPException(401, "no such token", {"WWW-Authenticate": "Bearer"})
    if not name:
        raise HTTPException(403, "the token may not send frames")
    return name


@asynccontextmanager
async def served(intake: HonestIntake) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(webhook_router(intake, SystemClock(), authorise))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    running = asyncio.create_task(server.serve([listening]))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer right"}) as client:
            yield client
    finally:
        server.should_exit = True
        await running
        listening.close()


def ask(
    use: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]], intake: HonestIntake
) -> httpx.Response:
    async def body() -> httpx.Response:
        async with asyncio.timeout(20), served(intake) as client:
            return await use(client)

    return asyncio.run(body())


async def endless(chunks: int) -> AsyncIterator[bytes]:
    for _ in range(chunks):
        yield bytes(16 * 1024)


def test_a_posted_body_is_journalled_byte_for_byte_and_answered_with_its_trace() -> None:
    intake = HonestIntake()
    answer = ask(lambda client: client.post("/in/vendor/door%20bell", content=b"\x00\xff{"), intake)
    assert (answer.status_code, answer.json()) == (202, {"trace": 1})
    (frame,) = intake.durable
    assert (frame.transport, frame.channel, frame.payload) == (
        Transport.HTTP,
        "/in/vendor/door bell",
        b"\x00\xff{",
    )
    assert (frame.ingress, frame.source) == ("webhook", "vendor-cloud")
    assert frame.received_at.utcoffset() is not None


def test_the_largest_allowed_body_is_taken_and_one_byte_more_is_not() -> None:
    intake = HonestIntake()

    async def both(client: httpx.AsyncClient) -> httpx.Response:
        assert (await client.post("/in/a", content=bytes(MAX_PAYLOAD_BYTES))).status_code == 202
        return await client.post("/in/a", content=bytes(MAX_PAYLOAD_BYTES + 1))

    assert ask(both, intake).status_code == 413
    assert len(intake.durable) == 1


def test_a_body_of_unknown_length_is_refused_at_the_limit() -> None:
    intake = HonestIntake()
    answer = ask(lambda client: client.post("/in/a", content=endless(5)), intake)
    assert answer.status_code == 413
    assert not intake.durable


def test_a_disk_that_refuses_is_answered_with_try_again_later() -> None:
    intake = HonestIntake()
    intake.broken = True
    answer = ask(lambda client: client.post("/in/a", content=b"x"), intake)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert not intake.durable


def test_a_sender_without_the_right_is_refused() -> None:
    intake = HonestIntake()

    async def both(client: httpx.AsyncClient) -> httpx.Response:
        forbidden = await client.post("/in/a", content=b"x", headers={"Authorization": "Bearer reader"})
        assert forbidden.status_code == 403
        return await client.post("/in/a", content=b"x", headers={"Authorization": "Bearer wrong"})

    assert ask(both, intake).status_code == 401
    assert not intake.durable


def test_a_path_above_the_limit_is_refused() -> None:
    intake = HonestIntake()
    answer = ask(lambda client: client.post("/in/" + "a" * 513, content=b"x"), intake)
    assert answer.status_code == 422
    assert not intake.durable


def test_a_connection_that_ends_inside_the_body_leaves_no_frame() -> None:
    intake = HonestIntake()

    async def cut_short(client: httpx.AsyncClient) -> httpx.Response:
        _, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        writer.write(
            b"POST /in/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer right\r\nContent-Length: 9\r\n\r\nhalf"
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        return await client.post("/in/b", content=b"whole")

    assert ask(cut_short, intake).status_code == 202
    assert [frame.channel for frame in intake.durable] == ["/in/b"]


def test_the_webhook_is_described_for_vendors() -> None:
    answer = ask(lambda client: client.get("/openapi.json"), HonestIntake())
    post = answer.json()["paths"]["/in/{channel}"]["post"]
    assert "application/octet-stream" in post["requestBody"]["content"]
    assert {"202", "401", "403", "413", "503"} <= set(post["responses"])
