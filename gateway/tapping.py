"""Taps joined: every installed and configured one, with its cursor on disk."""

from collections.abc import Callable
from pathlib import Path

from gateway.api.texts import Language, texts
from gateway.contract import Clock
from gateway.model.registry import Registry
from gateway.plugins import load_taps
from gateway.service.subscribing import Subscriptions
from gateway.service.tapping import TapMeans
from gateway.service.taps import Source, TapRunner, Taps
from gateway.stores.sessions import SqliteSessionStore
from gateway.stores.sqlite_store import SqliteStore
from gateway.stores.taps import SqliteCursors
from gateway.tap_settings import TapSettings
from gateway.taps.subscription import SubscriptionTap

TOLD_IN: Language = "sv"
"""The language of what is written in care systems, whichever the pages are read in."""
FILE, SUBSCRIPTIONS = "taps.db", "subscriptions.db"
"""Cursors, proofs and dead letters; who asked to be told over FHIR. Both below the data directory."""


def make_taps(
    settings: TapSettings, data_dir: Path, store: SqliteStore, registry: Callable[[], Registry], clock: Clock
) -> tuple[Taps, TapMeans]:
    """Return all taps, and what they are made from; ConfigurationError for one that cannot be made so."""
    cursors = SqliteCursors(data_dir / FILE)
    try:
        means = TapMeans(settings, registry, store, store, clock, texts(TOLD_IN))
        wanted = {section.name: section for section in settings.all()}
        source = Source(store, cursors, clock)
        runners = [TapRunner(tap, source, backfill=wanted[tap.name].backfill) for tap in load_taps(means)]
    except BaseException:
        cursors.close()
        raise
    return Taps(runners, source), means


def make_subscriptions(taps: Taps, means: TapMeans, data_dir: Path, base: Callable[[], str]) -> Subscriptions:
    """Return the subscriptions with a tap each; `base` gives the address of the FHIR facade."""
    store = SqliteSessionStore(data_dir / SUBSCRIPTIONS)
    return Subscriptions(store, taps, lambda one, kept: SubscriptionTap(one, means, kept, base))
