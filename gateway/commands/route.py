"""`vaka route`: who would be called, when and by which channel, and why, if nobody answered."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.channel_settings import ChannelSettings
from gateway.config import Settings, load_registry
from gateway.contract import ConfigurationError, Snapshot, VakaError
from gateway.pipeline.dry_run import Line, Question, dry_run
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules
from gateway.stores.state_reader import StateReader


def route(settings: Settings, data: Path | None, asked: Question, zone: ZoneInfo) -> Iterator[str]:
    """Yield one line for everything that would happen, times as people there read them."""
    for line in lines_of(settings, data, asked):
        yield _said(line, zone)


def lines_of(settings: Settings, data: Path | None, asked: Question) -> list[Line]:
    """Return what would happen, from a data directory, or from the registry file without one."""
    walk = Walk(load_adapters(), load_rules(), channel_names(settings.channels))
    return dry_run(walk, snapshot_of(settings, data), asked)


def question(words: str, at: str, hours: float, values: Sequence[str], zone: ZoneInfo) -> Question:
    """Return what was asked; ConfigurationError where it cannot be read. A time without offset is local."""
    device, _, event = words.strip().partition(" ")
    if not event:
        raise ConfigurationError(f"found {words!r}; allowed: '<device> <event>', as 'gps-1 alarm.manual'")
    try:
        moment = datetime.fromisoformat(at) if at else datetime.now(UTC)
    except ValueError as error:
        raise ConfigurationError(f"--at: found {at!r}; allowed: 2026-12-24 23:10, or with offset") from error
    given = dict(_value(pair) for pair in values)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return Question(
        device=device,
        event=event.strip(),
        at=aware.astimezone(UTC),
        values=given,
        for_=timedelta(hours=hours),
    )


def zone_of(settings: Settings, data: Path | None, words: str) -> ZoneInfo:
    """Return the time zone of the device's tenant."""
    registry = snapshot_of(settings, data).registry
    device = next((one for one in registry.device if one.id == words.strip().partition(" ")[0]), None)
    tenant = next((one for one in registry.tenant if device and one.id == device.tenant), None)
    return ZoneInfo(tenant.time_zone if tenant else "Europe/Stockholm")


def snapshot_of(settings: Settings, data: Path | None) -> Snapshot:
    """Return the state that a data directory keeps, or an empty one with the configured registry."""
    directory = data or settings.data_dir
    if (directory / "state.db").exists():
        store = StateReader(directory / "state.db")
        try:
            return store.load()
        finally:
            store.close()
    if data is not None or settings.registry is None:
        raise ConfigurationError(
            f"{directory}: found no state; allowed: a data directory, or a registry file"
        )
    return Snapshot(0, load_registry(settings.registry).document, {}, {}, {}, {}, {}, {})


def channel_names(channels: ChannelSettings) -> tuple[str, ...]:
    """Return the names of our own channels that a configuration switches on."""
    phone = channels.phone
    there = {
        "console": True,
        "email": channels.email,
        "page": True,
        "sms": phone and phone.sms_from,
        "voice": phone and phone.voice_from,
        "webhook": channels.webhook,
        "webpush": channels.webpush,
    }
    return tuple(name for name, configured in there.items() if configured)


def _value(pair: str) -> tuple[str, Any]:
    name, found, value = pair.partition("=")
    if not found:
        raise VakaError(f"--value: found {pair!r}; allowed: name=value")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _said(line: Line, zone: ZoneInfo) -> str:
    at = f"{line.at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    if line.what == "called":
        until = f", until {line.until.astimezone(zone):%H:%M:%S}" if line.until else ""
        return f"{at}  {line.what:10}  {line.who} by {', '.join(line.channels)}{until}: {line.reason}"
    if line.what == "for_ever":
        return f"{at}  {'for ever':10}  {line.who}, again and again until a person answers"
    return f"{at}  {line.what:10}  {line.reason}".rstrip()


def as_json(lines: Sequence[Line]) -> str:
    """Return the lines as one JSON array."""
    return msgspec.json.format(msgspec.json.encode(lines)).decode()
