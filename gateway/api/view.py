"""Drawing: templates, one alert's card, and what every page needs around it."""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.api.access import identify
from gateway.api.auth import Actor
from gateway.api.context import Context
from gateway.api.texts import Texts, choose, texts
from gateway.model.alert import Alert, AlertState, AlertType, Outcome, Severity
from gateway.model.registry import Registry
from gateway.pipeline.policy import policy_of

HERE = Path(__file__).parent
STATIC_FOLDER = HERE / "static"
LANGUAGE_COOKIE = "vaka-language"
LATE_AFTER_S = 300
DEFAULT_ZONE = "Europe/Stockholm"
MAX_SHOWN = 300
"""Cards on one page, High ones excepted; how many more there are is said on it."""

MAX_CARDS = 4096
"""Drawn cards kept for the next page that shows the same one."""


def _static_urls() -> dict[str, str]:
    """Name every static file with its content's hash, so that it may be kept for ever."""
    return {
        file.name: f"/static/{file.name}?v={blake2b(file.read_bytes(), digest_size=6).hexdigest()}"
        for file in STATIC_FOLDER.iterdir()
    }


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(static=_static_urls(), outcomes=list(Outcome))
    return made


class Viewer(msgspec.Struct, frozen=True):
    """For whom something is drawn: their words, and what they may do. `actor` is None before signing in."""

    words: Texts
    actor: Actor | None

    @property
    def name(self) -> str:
        """The actor's name, "" before signing in."""
        return self.actor.name if self.actor else ""

    def may(self, scope: str) -> bool:
        """Tell whether the viewer has this right."""
        return self.actor is not None and self.actor.may(scope)


def viewer(request: Request, ctx: Context) -> Viewer:
    """Return for whom a page is drawn; the address's `lang` beats the cookie, then the configuration."""
    asked = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    return Viewer(texts(choose(asked, ctx.settings.language)), identify(request, ctx))


class Drawing:
    """Draws pages and cards."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._environment = _environment()
        self._cards: OrderedDict[tuple[str, int, str, bool, bool], str] = OrderedDict()

    def page(
        self,
        request: Request,
        template: str,
        values: Mapping[str, object],
        status_code: int = 200,
    ) -> HTMLResponse:
        """Draw a whole page; a language asked for in the address is kept in a cookie."""
        seen_by = viewer(request, self._ctx)
        actor = seen_by.actor
        drawn = self._environment.get_template(template).render(
            t=seen_by.words,
            viewer=seen_by,
            actor=actor,
            local=self.local,
            named=self.named,
            age=lambda moment: seen_by.words.age(self._since(moment)),
            path=request.url.path,
            now=self._ctx.clock.now(),
            forgery_token=actor.forgery_token if actor else "",
            has_taps=bool(self._ctx.taps and self._ctx.taps.names),
            signed_in=actor is not None and self._ctx.local is None,
            **values,
        )
        response = HTMLResponse(drawn, status_code)
        if request.query_params.get("lang") == seen_by.words.language:
            secure = self._ctx.secure(request)
            response.set_cookie(
                LANGUAGE_COOKIE, seen_by.words.language, max_age=31536000, samesite="lax", secure=secure
            )
        return response

    def card(self, alert: Alert, seen_by: Viewer) -> str:
        """Draw one alert as the viewer may see and answer it, its ages as of now."""
        mine, answers = _stands_to(alert, seen_by)
        return self._draw(alert, seen_by.words, mine=mine, answers=answers)

    def live_card(self, alert: Alert, seen_by: Viewer) -> str:
        """Draw a card for a page whose script keeps the ages right: drawn once for all such pages."""
        mine, answers = _stands_to(alert, seen_by)
        key = (alert.id, alert.version, seen_by.words.language, mine, answers)
        drawn = self._cards.get(key)
        if drawn is None:
            drawn = self._cards[key] = self._draw(alert, seen_by.words, mine=mine, answers=answers)
            if len(self._cards) > MAX_CARDS:
                self._cards.popitem(last=False)
        return drawn

    def local(self, moment: datetime, tenant: str = "", *, seconds: bool = True) -> str:
        """Return a moment as people there read it: the time, and the date when it is not today.

        What is planned needs no seconds.
        """
        zone = zone_of(self._ctx.board.registry, tenant)
        there, today = moment.astimezone(zone), self._ctx.clock.now().astimezone(zone)
        face = f"{there:%H:%M:%S}" if seconds else f"{there:%H:%M}"
        return face if there.date() == today.date() else f"{there:%Y-%m-%d} {face}"

    def named(self, ref: str) -> str:
        """Return a team by its name as people know it; a person only ever by reference."""
        team = self._ctx.board.registry.teams.get(ref)
        return team.name if team else ref

    def _draw(self, alert: Alert, words: Texts, *, mine: bool, answers: bool) -> str:
        steps = policy_of(self._ctx.board.registry, alert).steps
        old_s = self._since(alert.occurred_at)
        return self._environment.get_template("card.html").render(
            t=words,
            alert=alert,
            sentence=words.alert(alert),
            mine=mine,
            answers=answers,
            presses=alert.values.get("presses", 0),
            last_step=alert.step >= len(steps) - 1,
            late=alert.late_s > LATE_AFTER_S,
            again=_came_again(alert, -self._since(alert.deadline)) if alert.deadline else False,
            age=words.age(old_s),
            span=words.span(old_s),
            late_span=words.span(alert.late_s),
            left=_clock_face(-self._since(alert.deadline)) if alert.deadline else "",
            local=self.local,
            asked=[self.named(ref) for ref in alert.asked],
            queue=queue_of(alert),
            sort=sort_key(alert),
            open=alert.state is not AlertState.CLOSED,
        )

    def _since(self, moment: datetime) -> float:
        return (self._ctx.clock.now() - moment).total_seconds()


def _stands_to(alert: Alert, seen_by: Viewer) -> tuple[bool, bool]:
    """Return whether the viewer has taken the alert, and whether they may answer at all."""
    mine = alert.assignee is not None and alert.assignee == seen_by.name
    return mine, seen_by.may("alerts:write")


def _came_again(alert: Alert, left_s: float) -> bool:
    """Tell whether who has a High alert must answer soon, because it came again after they took it."""
    held = alert.state in {AlertState.ACCEPTED, AlertState.ON_SITE}
    return held and alert.severity is Severity.HIGH and alert.count > 1 and left_s <= alert.accept_within_s


def zone_of(registry: Registry, tenant: str) -> ZoneInfo:
    """Return the time zone of a tenant, or of the first one where none is meant."""
    found = registry.tenants.get(tenant) or next(iter(registry.tenants.values()), None)
    return ZoneInfo(found.time_zone if found else DEFAULT_ZONE)


def first_of(alerts: list[Alert]) -> list[Alert]:
    """Return what one page shows of a sorted list: every High alert, and others up to the limit."""
    high = sum(alert.severity is Severity.HIGH for alert in alerts)
    return alerts[: max(high, MAX_SHOWN)]


def queue_of(alert: Alert) -> str:
    """Return in which of the two lists an alert stands: the one whose ladder it climbs."""
    return "person" if alert.type is AlertType.PERSON else "technical"


def sort_key(alert: Alert) -> str:
    """Return the board's order as a text that a browser can compare."""
    deadline = alert.deadline.isoformat(timespec="microseconds") if alert.deadline else "9"
    return f"{alert.severity.rank}|{deadline}|{alert.raised_at.isoformat(timespec='microseconds')}|{alert.id}"


def _clock_face(seconds: float) -> str:
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
