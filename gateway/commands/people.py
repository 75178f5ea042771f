"""`vaka people`: plans are imported into a running gateway or into its journal, and who works is told."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from msgspec.structs import replace

from gateway.commands.route import channel_names, snapshot_of
from gateway.config import Settings, load_registry
from gateway.contract import ConfigurationError, VakaError
from gateway.imports.plans import Import, frame_of
from gateway.model.frame import Frame, Transport
from gateway.model.registry import Registry
from gateway.pipeline.decode import NOTHING
from gateway.pipeline.duty import Crew
from gateway.pipeline.people import People
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from gateway.plugins import load_rules
from gateway.stores.lock import hold
from gateway.stores.sqlite_store import SqliteStore

TOKEN = "VAKA_TOKEN"  # noqa: S105 - the name of the variable that holds it
WITHIN_S = 30.0


def import_plan(settings: Settings, data: Path | None, told: Import, url: str) -> str:
    """Bring a plan in and return a sentence about it; VakaError with the reason when it is refused."""
    if url:
        return _send(told, url)
    directory = data or settings.data_dir
    with hold(directory):
        store = SqliteStore(directory / "state.db")
        try:
            position = _commit(store, settings, frame_of(told, datetime.now(UTC)))
        finally:
            store.close()
    return f"journalled as frame {position}; it holds from the gateway's next start"


def _commit(store: SqliteStore, settings: Settings, plan: Frame) -> int:
    """Judge and commit a plan as the gateway would, after the registry where the state has none yet."""
    snapshot = store.load()
    state, frames = State(snapshot), [plan]
    if not snapshot.registry.tenant and settings.registry is not None:
        words = load_registry(settings.registry).document.to_json()
        frames.insert(0, Frame(Transport.REGISTRY, "registry", words, plan.received_at, ingress="file"))
    frames = [replace(frame, position=place) for place, frame in enumerate(frames, snapshot.cursor + 1)]
    walk = Walk([], load_rules(), channel_names(settings.channels))
    for frame in frames:
        walk.step(state, frame, NOTHING, frozenset(), frame.received_at)
    if state.changes.refusals:
        raise VakaError("; ".join(state.changes.refusals.values()))
    changes = state.take_changes()
    changes.frames = frames
    store.commit(changes, frames[-1].position)
    return frames[-1].position


def on_duty(settings: Settings, data: Path | None, at: str) -> Iterator[str]:
    """Yield one line a team: who works at a moment, in the tenant's time, and why others do not."""
    snapshot = snapshot_of(settings, data)
    registry = Registry(snapshot.registry)
    crew = Crew(registry, People(snapshot.records, lambda _key, _body: None))
    for team in registry.document.team:
        zone = crew.zone(registry.units[team.unit].tenant)
        moment = moment_of(at, zone) or datetime.now(UTC)
        if not crew.planned(team.id):
            yield f"{team.id}: answers as one, at all hours"
            continue
        members = [staff.ref for staff in crew.members(team.id)]
        away = [f"{ref} {why}" for ref in members if (why := crew.away(ref, moment))]
        people = ", ".join(crew.on_duty(team.id, moment)) or "nobody"
        yield f"{team.id}: {people}" + (f" ({', '.join(away)})" if away else "")


def moment_of(text: str | None, zone: ZoneInfo) -> datetime | None:
    """Return a moment as UTC, one without offset by the tenant's clock; None for no text."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"found {text!r}; allowed: a time as 2026-12-24 23:10") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def tenant_of(settings: Settings, data: Path | None, name: str) -> tuple[str, ZoneInfo]:
    """Return the tenant that is meant, the only one when none is named, and its time zone."""
    tenants = {tenant.id: tenant for tenant in snapshot_of(settings, data).registry.tenant}
    if not name and len(tenants) == 1:
        name = next(iter(tenants))
    if name not in tenants:
        raise ConfigurationError(f"--tenant: found {name!r}; allowed: {', '.join(sorted(tenants))}")
    return name, ZoneInfo(tenants[name].time_zone)


def _send(told: Import, url: str) -> str:
    """Give the plan to a running gateway, which answers when it holds."""
    form = {
        "source": told.source,
        "tenant": told.tenant,
        "team": told.team,
        "since": told.since.isoformat() if told.since else "",
        "until": told.until.isoformat() if told.until else "",
    }
    headers = {"Authorization": f"Bearer {os.environ[TOKEN]}"} if os.environ.get(TOKEN) else {}
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/api/v1/people/{told.kind}",
            params={name: value for name, value in form.items() if value},
            content=told.content,
            headers=headers | {"Content-Type": "application/octet-stream"},
            timeout=WITHIN_S,
        )
    except httpx.HTTPError as error:
        raise VakaError(f"{url}: the gateway did not answer: {type(error).__name__}") from error
    if answer.status_code != 200:
        raise VakaError(f"{url}: {answer.status_code}: {answer.text[:500]}")
    return f"taken up by {url}"
