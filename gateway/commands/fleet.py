"""`vaka fleet`: how well each device does, from a data directory, also while the gateway runs."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from gateway.commands.route import snapshot_of
from gateway.config import Settings, load_settings
from gateway.contract import ConfigurationError
from gateway.model.registry import Registry
from gateway.model.synthetic import SYNTHETIC
from gateway.onboarding.battery import Forecast
from gateway.onboarding.fleet import Grade, Health, Known, health, products
from gateway.pipeline.equipment import Equipment
from gateway.plugins import load_adapters

Plainly = Callable[[Callable[..., Any]], Callable[..., Any]]
Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="The TOML file; without it the defaults.")
]
Data = Annotated[
    Path | None, typer.Option("--data", help="The data directory, instead of the configured one.")
]


def add_commands(app: typer.Typer, plainly: Plainly) -> None:
    """Add the command; `plainly` turns an error that the user can act on into a line and an exit code."""
    app.command("fleet")(plainly(fleet))


def fleet(
    config: Config = None,
    data: Data = None,
    grade: Annotated[str, typer.Option(help="Only this grade: good, fair, poor, bad, unknown.")] = "",
    *,
    by_product: Annotated[bool, typer.Option("--products", help="By product instead of device.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Say how well each device does, the worst first: silence, battery forecast, quarantine, and why."""
    if grade and grade not in set(Grade):
        raise ConfigurationError(f"--grade: found {grade!r}; allowed: {', '.join(Grade)}")
    found = health_of_all(load_settings(config), data, datetime.now(UTC))
    found = [one for one in found if grade in ("", one.grade)]
    told: list[Any] = list(products(found)) if by_product else list(found)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
        return
    for one in told:
        if isinstance(one, Health):
            typer.echo(line_of(one))
        else:
            grades = ", ".join(f"{n} {name}" for name, n in one.grades.items() if n)
            typer.echo(f"{one.adapter} {one.model or '-'}: {one.devices} devices: {grades}")


def health_of_all(settings: Settings, data: Path | None, now: datetime) -> list[Health]:
    """Return the health of every device that a data directory knows, the worst first."""
    snapshot = snapshot_of(settings, data)
    registry = Registry(snapshot.registry)
    equipment = Equipment(snapshot.records, lambda _key, _body: None)
    manifests = {one.manifest.id: one.manifest for one in load_adapters(settings.adapters)}
    found = [
        health(
            Known(
                device=device,
                enrolment=registry.enrolments.get(device.id),
                status=snapshot.statuses.get(device.id),
                twin=equipment.twins.get(device.id),
                charges=equipment.charges.get(device.id, ()),
                manifest=manifests.get(device.adapter),
            ),
            now,
        )
        for device in registry.devices.values()
        if device.tenant != SYNTHETIC
    ]
    return sorted(found, key=lambda one: (one.grade.rank, one.device))


def line_of(one: Health) -> str:
    """Return a device's health as one line."""
    heard = one.last_seen_at.isoformat(timespec="minutes") if one.last_seen_at else "never"
    charge = "battery unknown" if one.battery_percent is None else f"battery {one.battery_percent:.0f} %"
    silent = "" if one.silence_share is None else f", silent {one.silence_share * 100:.1f} %"
    counts = f", {one.late} late, {one.rejected} in quarantine"
    why = f" ({', '.join(one.reasons)})" if one.reasons else ""
    head = f"{one.grade:7}  {one.device}  heard {heard}, {charge}{_ahead(one.battery)}{silent}{counts}"
    return f"{head}, firmware {one.firmware or 'unknown'}{why}"


def _ahead(battery: Forecast) -> str:
    if not battery.known:
        return ", forecast unknown"
    if battery.days is None:
        return ", not falling"
    latest = "?" if battery.latest_days is None else f"{battery.latest_days:.0f}"
    return f", critical in {battery.days:.0f} days ({battery.earliest_days or 0:.0f} to {latest})"
