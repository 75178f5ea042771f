"""Carrier: the tap of one care system; what differs between systems is its connector alone."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from gateway.contract import Handed, Page
from gateway.service.tapping import tenants_of
from gateway.tap_settings import CareSettings
from gateway.taps.care.making import Asked, records_of
from gateway.taps.care.records import CareRecord, decode, encode


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver says that it has of a record, or that it refused it after it had taken it."""

    version: int
    refused: str = ""


class Connector(Protocol):
    """One way into a care system. A record that comes again must be known by its key and version."""

    async def put(self, record: CareRecord) -> Handed:
        """Hand over a record; TapFault when the receiver is disturbed."""
        ...

    async def held(self) -> Mapping[str, Held] | None:
        """Return what the receiver lists, None where it offers no list; TapFault."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class CareTap:
    """Makes records of each page and hands them over one after the other, in the order of the log."""

    def __init__(self, settings: CareSettings, connector: Connector, asked: Asked) -> None:
        self.name = settings.name
        self.connector = connector
        self._settings, self._asked = settings, asked
        self._through: dict[tuple[str, int], Handed] = {}

    async def take(self, page: Page) -> Sequence[Handed]:
        """Hand over a page's records; of a page that comes again only those that were not through."""
        theirs = tenants_of(page, self._asked.registry(), self._settings)
        records = await asyncio.to_thread(records_of, theirs, self._asked)
        handed = []
        for record in records:
            name = (record.key, record.version)
            if name not in self._through:
                self._through[name] = await self.connector.put(record)
            handed.append(self._through[name])
        self._through.clear()
        return handed

    async def again(self, item: str, body: bytes) -> Handed:
        """Send once more what was refused, or what a person has mended of it."""
        try:
            record = decode(body)
        except msgspec.DecodeError as error:
            return Handed(item=item, refused=f"no care record: {error}", body=body)
        return await self.connector.put(record)

    async def close(self) -> None:
        """Release connections."""
        await self.connector.close()


def proved(record: CareRecord, by: str) -> Handed:
    """Return the receiver's proof of a record, with the version that it is of."""
    return Handed(item=record.key, proof=f"v{record.version} {by}".strip())


def refused(record: CareRecord, why: str) -> Handed:
    """Return a dead letter: why the receiver does not want a record."""
    return Handed(item=record.key, refused=why, body=encode(record))


def version_of(proof: str) -> int:
    """Return which version a proof is of, 0 for none."""
    first = proof.partition(" ")[0]
    return int(first[1:]) if first[:1] == "v" and first[1:].isdecimal() else 0
