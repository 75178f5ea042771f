"""Taps joined: every installed and configured one, with its cursor on disk."""

from collections.abc import Callable
from pathlib import Path

from gateway.api.texts import Language, texts
from gateway.contract import Clock
from gateway.model.registry import Registry
from gateway.plugins import load_taps
from gateway.service.tapping import TapMeans
from gateway.service.taps import Source, TapRunner, Taps
from gateway.stores.sqlite_store import SqliteStore
from gateway.stores.taps import SqliteCursors
from gateway.tap_settings import TapSettings

TOLD_IN: Language = "sv"
"""The language of what is written in care systems, whichever the pages are read in."""
FILE = "taps.db"
"""Cursors, proofs and dead letters, below the data directory."""


def make_taps(
    settings: TapSettings, data_dir: Path, store: SqliteStore, registry: Callable[[], Registry], clock: Clock
) -> Taps:
    """Return all taps; ConfigurationError for one that cannot be made as it is configured."""
    cursors = SqliteCursors(data_dir / FILE)
    try:
        made = load_taps(TapMeans(settings, registry, store, store, clock, texts(TOLD_IN)))
        wanted = {section.name: section for section in settings.all()}
        source = Source(store, cursors, clock)
        runners = [TapRunner(tap, source, backfill=wanted[tap.name].backfill) for tap in made]
    except BaseException:
        cursors.close()
        raise
    return Taps(runners, cursors)
