"""Serving: the API and the pages on a socket of their own, bound before anything is told to be ready."""

import asyncio
import socket
from contextlib import nullcontext

import uvicorn
from fastapi import FastAPI

from gateway.config import ApiSettings
from gateway.contract import ConfigurationError

STOPS_WITHIN_S = 5.0


class ApiServer:
    """One server; `bind` first, then `serve` as a part of the gateway."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._server: uvicorn.Server | None = None
        self._socket: socket.socket | None = None
        self.app: FastAPI | None = None

    @property
    def page(self) -> str:
        """The address of the staff page, once it is bound."""
        api = self._settings
        port = self._socket.getsockname()[1] if self._socket else api.port
        host = f"[{api.host}]" if ":" in api.host else api.host
        return f"{'https' if api.tls else 'http'}://{host}:{port}/"

    def bind(self) -> socket.socket:
        """Take the address; ConfigurationError when another has it."""
        api = self._settings
        family = socket.AF_INET6 if ":" in api.host else socket.AF_INET
        try:
            self._socket = socket.create_server((api.host, api.port), family=family, backlog=1024)
            # Connections inherit it. Without it the end of an answer waits 40 ms for the client's delayed
            # acknowledgement of its beginning; asyncio sets it by itself only where the protocol is named.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            found = f"api.host, api.port: found {api.host}:{api.port}: {error.strerror}"
            raise ConfigurationError(
                f"{found}; allowed: an address of this machine and a free port"
            ) from error
        return self._socket

    async def serve(self, app: FastAPI) -> None:
        """Serve until told to stop."""
        self.app = app
        api = self._settings
        config = uvicorn.Config(
            app,
            host=api.host,
            port=api.port,
            log_config=None,
            access_log=False,
            ssl_certfile=api.tls.certificate if api.tls else None,
            ssl_keyfile=api.tls.key if api.tls else None,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._server.capture_signals = nullcontext  # type: ignore[method-assign,assignment] # signals are the command's
        await self._server.serve(sockets=[self._socket or self.bind()])

    async def started(self) -> None:
        """Wait until it takes requests."""
        while self._server is None or not self._server.started:  # noqa: ASYNC110 - uvicorn offers no event for it
            await asyncio.sleep(0.01)

    async def stop(self, part: asyncio.Task[None] | None) -> None:
        """Let it answer what was asked."""
        if self._server is not None:
            self._server.should_exit = True
        if part is not None:
            await asyncio.wait([part], timeout=STOPS_WITHIN_S)
