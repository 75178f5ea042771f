"""Bluetooth joined: the transport with the installed profiles and its memory on disk."""

from pathlib import Path

from gateway.ble_settings import BleSettings
from gateway.contract import Clock, Intake
from gateway.plugins import load_profiles
from gateway.stores.sessions import SqliteSessionStore
from gateway.transports.ble import BleTransport, Radio

FILE = "ble.db"
"""Whose an address is, and the configurations that wait, below the data directory."""


def make_ble(
    settings: BleSettings, data_dir: Path, intake: Intake, clock: Clock, radio: Radio | None = None
) -> BleTransport | None:
    """Return the way in by Bluetooth, None where it is not enabled; without `radio` the system's own.

    Raises ConfigurationError for a profile that is not installed.
    """
    if not settings.enabled:
        return None
    store = SqliteSessionStore(data_dir / FILE)
    try:
        return BleTransport(settings, load_profiles(), intake, clock, store, radio)
    except BaseException:
        store.close()
        raise
