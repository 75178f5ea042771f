"""Taps joined: the gateway's side of the process in which they run, and who asked to be told over FHIR."""

import logging
from collections.abc import Callable

from gateway.api.fhir.scope import subscribers_tenants
from gateway.config import Settings
from gateway.contract import Clock
from gateway.model.registry import Registry
from gateway.service.subscribing import SUBSCRIPTIONS, Subscriptions
from gateway.service.tap_process import TapProcess
from gateway.service.tap_talk import Start, revealed
from gateway.stores.sessions import SqliteSessionStore
from gateway.stores.taps import FILE, SqliteCursors


def make_taps(
    settings: Settings, base: Callable[[], str], registry: Callable[[], Registry], clock: Clock
) -> tuple[TapProcess, Subscriptions]:
    """Return the taps' process, not yet started; `base` gives the address of the FHIR facade."""

    def may(actor: str) -> frozenset[str] | None:
        return subscribers_tenants(actor, settings.api, registry())

    folder = settings.data_dir.absolute()

    def start() -> Start:
        return Start(
            data_dir=str(folder),
            settings=revealed(settings.taps),
            rules_dir=str(settings.rules_dir.absolute()) if settings.rules_dir else None,
            base=base(),
            begins=taps.begins,
            log_level=logging.getLogger().getEffectiveLevel(),
            subscriptions=subscriptions.told(),
        )

    taps = TapProcess(start, SqliteCursors(folder / FILE), clock)
    for section in settings.taps.all():
        taps.expect(section.name)
    subscriptions = Subscriptions(SqliteSessionStore(folder / SUBSCRIPTIONS), taps, clock, may)
    return taps, subscriptions
