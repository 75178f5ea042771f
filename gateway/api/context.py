"""What every request may use, held in one place."""

import asyncio
from collections.abc import Callable

from fastapi import Request

from gateway.api.auth import Sessions, local_actor
from gateway.api.passwords import Passwords
from gateway.config import ApiSettings
from gateway.contract import Clock, Intake, Journal, Store
from gateway.service.board import Board

STATUS_KEPT_S = 1.0
"""How long the gateway's status is shown to live pages before it is asked again."""

Health = Callable[[], dict[str, object]]


class Context:
    """The parts of the running gateway that people's requests reach, and who may sign in."""

    def __init__(
        self,
        *,
        settings: ApiSettings,
        board: Board,
        store: Store,
        journal: Journal,
        intake: Intake,
        clock: Clock,
        health: Health,
    ) -> None:
        self.settings = settings
        self.board = board
        self.store = store
        self.journal = journal
        self.intake = intake
        self.clock = clock
        self.health = health
        self.sessions = Sessions(settings, clock)
        self.passwords = Passwords(settings.user, clock)
        self.local = None if settings.user or settings.token else local_actor()

        self._status = ("", float("-inf"))

    def status(self) -> str:
        """Return the gateway's status in one word, at most a second old: every live page asks often."""
        word, asked_at = self._status
        now = asyncio.get_running_loop().time()
        if now - asked_at > STATUS_KEPT_S:
            word = str(self.health().get("status", "ok"))
            self._status = (word, now)
        return word

    def secure(self, request: Request) -> bool:
        """Tell whether the browser speaks TLS to us, directly or through a trusted proxy."""
        return self.settings.tls is not None or request.url.scheme == "https"


def context(request: Request) -> Context:
    """Return the context of the app that serves this request."""
    found = request.app.state.vaka
    if not isinstance(found, Context):
        raise TypeError("create_app sets the context")
    return found
