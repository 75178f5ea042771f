"""FHIR: the log as resources, in transactions to another FHIR R4 server; what comes twice changes nothing."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from gateway.contract import Handed, Page, Tap
from gateway.fhir.all_of import of_alert, of_entry, of_event
from gateway.fhir.names import name_of
from gateway.fhir.places import device, location, organization, patient
from gateway.fhir.terms import Resource
from gateway.model.alert import Alert, AlertEntry
from gateway.model.registry import Registry
from gateway.service.tapping import TapMeans, tenants_of
from gateway.tap_settings import FhirPushSettings
from gateway.taps.calls import Caller
from gateway.taps.transaction import FHIR, bundle_of, entries_of, transact

MAX_RESOURCES = 150
"""Resources of one transaction, about; what belongs together is never parted."""
HISTORY, DELIVERIES = 500, 200


class Group(NamedTuple):
    """What belongs together: an event, or an alert as it stands with the lines that a page has of it."""

    item: str
    resources: Sequence[Resource]
    keeps_proof: bool


class FhirPush:
    """Posts transactions to `url`; events are proved by the cursor, alerts by what the server answered."""

    def __init__(self, settings: FhirPushSettings, means: TapMeans) -> None:
        self.name = settings.name
        self._settings, self._means = settings, means
        self._calls = Caller(settings.url, settings.token, FHIR)
        self._through: dict[str, Handed] = {}

    async def take(self, page: Page) -> Sequence[Handed]:
        """Hand over a page; of one that comes again only what was not through."""
        registry = self._means.registry()
        theirs = tenants_of(page, registry, self._settings)
        groups = await asyncio.to_thread(lambda: list(self._groups(theirs)))
        for chunk in _chunks([group for group in groups if group.item not in self._through]):
            await self._send(chunk, registry)
        handed = [self._through[group.item] for group in groups]
        self._through.clear()
        return [one for one in handed if one.proof or one.refused]

    async def again(self, item: str, body: bytes) -> Handed:
        """Send once more what was refused, or what a person has mended of it."""
        answer = await transact(self._calls, body, None)
        return Handed(item=item, refused=answer.refused, proof=_proof(answer.proofs), body=body)

    async def close(self) -> None:
        """Release connections."""
        await self._calls.close()

    async def _send(self, chunk: Sequence[Group], registry: Registry) -> None:
        """Send groups in one transaction; when that is refused each by itself, so that only one waits."""
        entries, body = await asyncio.to_thread(_bundle, chunk, registry)  # the loop is the alerts'
        answer = await transact(self._calls, body, len(entries))
        if answer.refused and len(chunk) > 1:
            for group in chunk:
                await self._send([group], registry)
            return
        for group in chunk:
            if answer.refused:
                self._through[group.item] = Handed(item=group.item, refused=answer.refused, body=body)
                continue
            proof = _proof_of(group, entries, answer.proofs) if group.keeps_proof else ""
            self._through[group.item] = Handed(item=group.item, proof=proof)

    def _groups(self, page: Page) -> Iterator[Group]:
        for _, event in page.events:
            if resources := list(of_event(event)):
                yield Group(f"event/{event.id}", resources, keeps_proof=False)
        lines: dict[str, list[AlertEntry]] = {}
        for entry in page.entries:
            lines.setdefault(entry.alert, []).append(entry)
        for name, entries in lines.items():
            if name in page.alerts:
                yield Group(f"alert/{name}", list(self._alert(page.alerts[name], entries)), keeps_proof=True)

    def _alert(self, alert: Alert, entries: Sequence[AlertEntry]) -> Iterator[Resource]:
        answers = self._means.answers
        history = answers.history(alert.id, limit=HISTORY)
        word = answers.event_word(alert.cause) if alert.cause else ""
        yield from of_alert(alert, history, answers.deliveries(alert.id, limit=DELIVERIES), word)
        for entry in entries:
            yield from of_entry(entry)


def with_places(resources: Iterable[Resource], registry: Registry) -> list[Resource]:
    """Return resources with the persons, homes, devices and organisations that they speak of before them."""
    own = list(resources)
    told: dict[str, Resource] = {}
    asked = {name for one in own for name in _references(one)}
    while asked:
        name = asked.pop()
        if name not in told and (made := _place(name, registry)) is not None:
            told[name] = made
            asked |= set(_references(made))
    return [*(told[name] for name in sorted(told)), *own]


def _place(reference: str, registry: Registry) -> Resource | None:
    kind, _, written = reference.partition("/")
    name = name_of(written)
    if kind == "Patient" and name in registry.persons:
        return patient(registry.persons[name], registry)
    if kind == "Location" and name in registry.homes:
        return location(registry.homes[name])
    if kind == "Device" and name in registry.devices:
        return device(registry.devices[name], registry, None)
    if kind == "Organization" and name in registry.tenants:
        return organization(registry.tenants[name])
    return None


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _references(one)
    elif isinstance(value, dict):
        if isinstance(meant := value.get("reference"), str):
            yield meant
        for one in value.values():
            yield from _references(one)


def _bundle(chunk: Sequence[Group], registry: Registry) -> tuple[list[Resource], bytes]:
    """Return the entries of groups and the transaction that holds them."""
    entries = entries_of(with_places((one for group in chunk for one in group.resources), registry))
    return entries, bundle_of(entries)


def _chunks(groups: Sequence[Group]) -> Iterator[list[Group]]:
    chunk: list[Group] = []
    size = 0
    for group in groups:
        if chunk and size + len(group.resources) > MAX_RESOURCES:
            yield chunk
            chunk, size = [], 0
        chunk.append(group)
        size += len(group.resources)
    if chunk:
        yield chunk


def _proof_of(group: Group, entries: Sequence[Resource], proofs: Sequence[str]) -> str:
    """Return the server's word on the first resource of a group."""
    first = entries_of(group.resources[:1])[0]["fullUrl"]
    told = (proof for entry, proof in zip(entries, proofs, strict=True) if entry["fullUrl"] == first)
    return next(told, "")


def _proof(proofs: Sequence[str]) -> str:
    return proofs[-1] if proofs else ""


def make(means: TapMeans) -> list[Tap]:
    """Make a tap for every FHIR server that is configured."""
    return [FhirPush(one, means) for one in means.settings.fhir]
