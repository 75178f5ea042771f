"""Scanning: a scan that is begun again and again, and a radio that may be off, absent or taken away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random

from gateway.ble_settings import BleSettings
from gateway.contract import Clock
from gateway.contract.gatt import Profile
from gateway.service.parts import end_if_cancelled
from gateway.transports.ble.backoff import Backoff
from gateway.transports.ble.radio import TROUBLE, Heard, Radio, words
from gateway.transports.ble.standing import Standing

log = logging.getLogger(__name__)

START_WITHIN_S = 20.0
STOP_WITHIN_S = 5.0
RADIO_AGAIN_MAX_S = 60.0
"""The longest pause before a radio that was off is tried again."""


def filter_of(profiles: Sequence[Profile]) -> list[str] | None:
    """Return the service UUIDs that a scan may be filtered by, None where a device may advertise without."""
    if not profiles or not all(profile.announced for profile in profiles):
        return None
    return sorted({uuid for profile in profiles for uuid in profile.service_uuids})


class Scanning:
    """Scans for a window, rests, and scans again; a radio that fails is one line, and tried again.

    `begun` is called when a window has begun.
    """

    def __init__(  # noqa: PLR0917 - what a scan needs, each once
        self,
        radio: Radio,
        settings: BleSettings,
        heard: Heard,
        clock: Clock,
        standing: Standing,
        random: Random,
        begun: Callable[[], Awaitable[None]],
    ) -> None:
        self._begun = begun
        self._radio = radio
        self._settings = settings
        self._heard = heard
        self._clock = clock
        self._standing = standing
        self._backoff = Backoff(RADIO_AGAIN_MAX_S, random)

    async def run(self, service_uuids: list[str] | None) -> None:
        """Scan until cancelled."""
        while True:
            end_if_cancelled()
            try:
                await self._window(service_uuids)
            except TROUBLE as error:
                self._lost(words(error))
            except Exception as error:  # a backend may raise anything, and the way in must outlive it
                log.exception("the scan failed")
                self._lost(f"{type(error).__name__}: {words(error)}")
            else:
                self._backoff.reset()
                await asyncio.sleep(self._settings.scan_pause_s)
                continue
            await asyncio.sleep(self._backoff.next_s())

    async def _window(self, service_uuids: list[str] | None) -> None:
        scanner = self._radio.make_scanner(self._heard, service_uuids)
        async with asyncio.timeout(START_WITHIN_S):
            await scanner.start()
        standing = self._standing
        if standing.lost_since is not None and standing.trouble:
            log.info("Bluetooth works again")
        standing.lost_since, standing.trouble, standing.scanning = None, "", True
        try:
            await self._begun()
            await asyncio.sleep(self._settings.scan_window_s)
        finally:
            standing.scanning = False
            with suppress(*TROUBLE):
                async with asyncio.timeout(STOP_WITHIN_S):
                    await scanner.stop()

    def _lost(self, why: str) -> None:
        """Say it once for each reason: a radio that stays off must not fill the log."""
        standing = self._standing
        if standing.lost_since is None:
            standing.lost_since = self._clock.now()
        if why != standing.trouble:
            log.warning("Bluetooth: %s; tried again", why)
        standing.trouble = why
