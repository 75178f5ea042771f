"""Figures: pages of the log written to a server that speaks the v2 write API of InfluxDB."""

import asyncio
import time
from collections.abc import Iterator, Sequence

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from gateway.contract import Handed, Page, StoreUnavailableError, TapFault
from gateway.service.tapping import TapMeans, tenants_of
from gateway.tap_settings import InfluxSettings
from gateway.taps.points import MILLISECONDS, Known, Line, judged_since, lines, moment_ms, reaches

BATCH_LINES = 2_000
REQUEST_MS = 15_000
WITHIN_S = 40.0
"""A page that takes longer comes again: below the runner's own patience, which cannot stop a thread."""
LOOK_BACK_FRAMES = 64
REFUSES_LINES = frozenset({400, 413, 422})
"""Answers that blame what was written, and neither the account nor the server."""
TOO_OLD = "retention policy"
"""The server would delete such a point at once, and has taken the others: nobody could mend it."""
MAX_REASON = 200


class InfluxTap:
    """Writes each page as points, in a thread; what the server refuses is found line by line."""

    def __init__(self, means: TapMeans, settings: InfluxSettings) -> None:
        self.name = settings.name
        self._means, self._settings = means, settings
        token = settings.token.get_secret_value() if settings.token else ""
        self._client = InfluxDBClient(
            settings.url, token, org=settings.org, timeout=REQUEST_MS, enable_gzip=True
        )
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    async def take(self, page: Page) -> Sequence[Handed]:
        """Write a page; refused lines are named, TapFault when the server takes nothing now."""
        page = tenants_of(page, self._means.registry(), self._settings)
        return () if page.empty else await asyncio.to_thread(self._carry, page)

    async def again(self, item: str, body: bytes) -> Handed:
        """Write one line once more."""
        refused = await asyncio.to_thread(self._write, [Line(item, body.decode())])
        return Handed(item=item, refused=refused, body=body, proof="" if refused else "written")

    async def close(self) -> None:
        """Release connections."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._api.close()
        self._client.close()

    def _carry(self, page: Page) -> list[Handed]:
        try:
            known = self._known(page)
        except StoreUnavailableError as error:
            raise TapFault(str(error)) from error
        found = list(lines(page, known, self._means.registry(), positions=self._settings.positions))
        until = time.monotonic() + WITHIN_S
        handed: list[Handed] = []
        for start in range(0, len(found), BATCH_LINES):
            handed += self._halved(found[start : start + BATCH_LINES], until)
        return handed

    def _known(self, page: Page) -> Known:
        """Look up what shares a millisecond with something of this page."""
        moments = {f"{at:012x}" for _, event in page.events if (at := moment_ms(event))}
        named = self._means.answers.named_at(sorted(moments))
        events, entries = judged_since(page)
        before, frames = Page(after=page.after, upto=page.after), LOOK_BACK_FRAMES
        while before.after > 0 and not reaches(before, events, entries):
            start = max(0, page.after - frames)
            before, frames = self._means.log.page(start, page.after - start), frames * 4
        return Known(named, before)

    def _halved(self, part: Sequence[Line], until: float) -> Iterator[Handed]:
        """Write lines, and halve what is refused until the faulty ones stand alone: again is no harm."""
        if time.monotonic() > until:
            raise TapFault(f"the server did not take a page within {WITHIN_S:.0f} s")
        refused = self._write(part)
        if not refused:
            return
        if len(part) == 1:
            yield Handed(item=part[0].item, refused=refused, body=part[0].text.encode())
            return
        middle = len(part) // 2
        yield from self._halved(part[:middle], until)
        yield from self._halved(part[middle:], until)

    def _write(self, part: Sequence[Line]) -> str:
        """Write lines in one request; returns why some of them were refused, "" if none was."""
        body = "\n".join(line.text for line in part)
        try:
            self._api.write(self._settings.bucket, self._settings.org, body, MILLISECONDS)
        except ApiException as error:
            status = int(error.status or 0)
            if status not in REFUSES_LINES:
                raise TapFault(f"HTTP {status} {error.reason or ''}".strip()) from error
            said = " ".join(str(error.message or error.reason or "").split())
            return "" if TOO_OLD in said else f"HTTP {status} {said}"[:MAX_REASON]
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise TapFault(f"no connection ({type(error).__name__})") from error
        return ""
