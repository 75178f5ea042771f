"""What every request may use, held in one place."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from fastapi import FastAPI, Request

from gateway.api.auth import Sessions, local_actor
from gateway.api.fhir.exports import Exports
from gateway.api.passwords import Passwords
from gateway.config import ApiSettings
from gateway.contract import Journal, LogSearch, Store
from gateway.onboarding.fleet import Forecasts
from gateway.pipeline.walk import Walk
from gateway.service.means import Means
from gateway.service.subscribing import Subscriptions
from gateway.service.tap_process import TapProcess

STATUS_KEPT_S = 1.0
"""How long the gateway's status is shown to live pages before it is asked again."""

Health = Callable[[], dict[str, object]]


class OwnWord(NamedTuple):
    """What the gateway says of itself: a report of its parts, and its figures for Prometheus."""

    report: Health
    figures: Callable[[], bytes]


class FhirMeans(NamedTuple):
    """What the FHIR facade reads the log by, its bulk exports, and who asked to be told."""

    search: LogSearch
    exports: Exports
    subscriptions: Subscriptions


class Context:
    """The parts of the running gateway that people's requests reach, and who may sign in.

    `walk` is the one the engine runs, for dry runs; None before the plug board has given it, as `taps` and
    `fhir` are.
    """

    def __init__(
        self,
        *,
        settings: ApiSettings,
        means: Means,
        store: Store,
        journal: Journal,
        own_word: OwnWord,
    ) -> None:
        self.settings = settings
        self.means = means
        self.board = means.board
        self.store = store
        self.journal = journal
        self.intake = means.intake
        self.clock = clock = means.clock
        self.health = own_word.report
        self.metrics = own_word.figures
        self.walk: Walk | None = None
        self.taps: TapProcess | None = None
        self.fhir: FhirMeans | None = None
        self.forecasts = Forecasts()
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
    return context_of(request.app)


def context_of(app: FastAPI) -> Context:
    """Return the context of an app."""
    found = app.state.vaka
    if not isinstance(found, Context):
        raise TypeError("create_app sets the context")
    return found
