"""A stand-in's own small HTTP server, on loopback only."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import uvicorn
from fastapi import FastAPI

LOOPBACK = "127.0.0.1"
START_WITHIN_S = 10.0


def _listening(port: int) -> socket.socket:
    """Return a socket whose connections answer at once: asyncio leaves those of `create_server` to Nagle."""
    listening = socket.create_server((LOOPBACK, port))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted ones inherit it
    return listening


def _server(app: FastAPI) -> uvicorn.Server:
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign,assignment] # signals are the caller's
    return server


async def serve(app: FastAPI, port: int, stop: asyncio.Event, say: Callable[[str], None]) -> None:
    """Serve until told to stop; `say` hears the address."""
    server = _server(app)
    with _listening(port) as listening:
        say(f"http://{LOOPBACK}:{listening.getsockname()[1]}")
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await stop.wait()
        server.should_exit = True
        await serving


@contextmanager
def served(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve in a thread; yields the address."""
    server = _server(app)
    with _listening(port) as listening:
        address = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), name=address)
        thread.start()
        ready = threading.Event()
        for _ in range(int(START_WITHIN_S / 0.01)):
            if server.started:
                break
            ready.wait(0.01)
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join(START_WITHIN_S)
