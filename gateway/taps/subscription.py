"""Subscription: what somebody asked to be told over FHIR, sent as R4's rest-hook or the R5 backport says."""

import asyncio
from collections.abc import Iterator, Sequence

import httpx
import msgspec

from gateway.contract import Clock, Handed, Page, SessionStore, TapFault
from gateway.fhir.all_of import of_alert, of_entry, of_event
from gateway.fhir.notifying import Notice, notification
from gateway.fhir.subscribing import Subscription
from gateway.fhir.terms import Resource
from gateway.service.issuers import issuers
from gateway.service.subscribing import SENT
from gateway.service.tap_talk import tap_of
from gateway.service.tapping import TapMeans, tenants_of
from gateway.tap_settings import TapSection

TIMEOUT_S = 15.0
MAX_TOLD = 50
"""Resources of one notification."""
HISTORY, DELIVERIES = 500, 200


class Sent(msgspec.Struct, frozen=True):
    """How many were told before the page after that position: so a page that comes again has its numbers."""

    after: int
    number: int


class SubscriptionTap:
    """Sends to one endpoint. `base` is the address of our own facade, by which resources are named."""

    def __init__(self, wanted: Subscription, means: TapMeans, store: SessionStore, base: str) -> None:
        self.name = tap_of(wanted.id)
        self._wanted, self._means, self._store, self._base = wanted, means, store, base
        self._key = f"{SENT}{wanted.id}"
        kept = store.load().get(self._key)
        self._sent = msgspec.json.decode(kept, type=Sent) if kept else Sent(-1, 0)
        self.number = self._sent.number
        self._client: httpx.AsyncClient | None = None

    async def handshake(self) -> None:
        """Show the endpoint that a topic's subscription begins; TapFault when it does not say yes."""
        await self._post(Notice("handshake", self._clock.now()))

    async def take(self, page: Page) -> Sequence[Handed]:
        """Tell of what is waited for."""
        wanted = self._wanted
        if wanted.end is not None and self._clock.now() >= wanted.end:
            return ()
        section = TapSection(name="subscription", tenants=wanted.tenants)
        theirs = tenants_of(page, self._means.registry(), section)
        found = await asyncio.to_thread(lambda: [one for one in self._resources(theirs) if wanted.fits(one)])
        number = await self._number_of(page, len(found))
        for start in range(0, len(found), MAX_TOLD):
            await self._tell(found[start : start + MAX_TOLD], number + start + 1)
        self.number = number + len(found)
        return ()

    async def again(self, item: str, body: bytes) -> Handed:
        """Nothing of a subscription is ever a dead letter: what is refused waits."""
        del body
        return Handed(item=item)

    async def close(self) -> None:
        """Release connections."""
        if self._client is not None:
            await self._client.aclose()

    @property
    def _clock(self) -> Clock:
        return self._means.clock

    async def _number_of(self, page: Page, count: int) -> int:
        """Return how many were told before this page, which is on disk before any of it is sent."""
        if self._sent.after != page.after:
            self._sent = Sent(page.after, self.number)
            if count:
                await asyncio.to_thread(self._store.save, {self._key: msgspec.json.encode(self._sent)})
        return self._sent.number

    def _resources(self, page: Page) -> Iterator[Resource]:
        for _, event in page.events:
            yield from of_event(event)
        answers = self._means.answers
        for alert in page.alerts.values():
            cause = answers.event_word(alert.cause) if alert.cause else ""
            history = answers.history(alert.id, limit=HISTORY)
            yield from of_alert(alert, history, answers.deliveries(alert.id, limit=DELIVERIES), cause)
        for entry in page.entries:
            yield from of_entry(entry)

    async def _tell(self, resources: Sequence[Resource], number: int) -> None:
        wanted = self._wanted
        if wanted.topic:
            await self._post(Notice("event-notification", self._clock.now(), resources, number))
            return
        for resource in resources:
            if wanted.sends:
                path = f"/{resource['resourceType']}/{resource['id']}"
                await self._send("PUT", f"{wanted.endpoint}{path}", msgspec.json.encode(resource))
            else:
                await self._send("POST", wanted.endpoint, b"")

    async def _post(self, notice: Notice) -> None:
        bundle = notification(self._wanted, self._base, notice)
        await self._send("POST", self._wanted.endpoint, msgspec.json.encode(bundle))

    async def _send(self, method: str, url: str, body: bytes) -> None:
        trusted = await issuers()
        if self._client is None:
            headers = {
                name.strip(): value.strip()
                for name, _, value in (h.partition(":") for h in self._wanted.headers)
            }
            self._client = httpx.AsyncClient(
                timeout=TIMEOUT_S, headers=headers, trust_env=False, verify=trusted
            )
        kind = {"content-type": "application/fhir+json"} if body else {}
        try:
            answer = await self._client.request(method, url, content=body, headers=kind)
        except httpx.TimeoutException as error:
            raise TapFault(f"no answer within {TIMEOUT_S:.0f} s") from error
        except httpx.HTTPError as error:
            raise TapFault(f"no connection ({type(error).__name__})") from error
        if not 200 <= answer.status_code < 300:
            raise TapFault(f"HTTP {answer.status_code}")
