"""Reading: one resource, or one page of a search with what comes with it."""

from datetime import datetime
from typing import NamedTuple

from gateway.api.fhir.asking import Search
from gateway.api.fhir.errors import BadSearchError
from gateway.api.fhir.logged import Logged
from gateway.api.fhir.registered import Registered, Statuses
from gateway.api.fhir.scope import Sight
from gateway.contract import LogSearch, Mark
from gateway.fhir.asked import BadValue
from gateway.fhir.fits import references_of
from gateway.fhir.kinds import KINDS
from gateway.fhir.terms import Resource


class Page(NamedTuple):
    """One page: what was found, what was included, and where the next one begins."""

    found: list[Resource]
    included: list[Resource]
    more: Mark | None


class Reading:
    """Everything somebody sees as resources. Reads a disk: not for the event loop."""

    def __init__(self, sight: Sight, statuses: Statuses, search: LogSearch) -> None:
        self._sight = sight
        self._search = search
        self._registered = Registered(sight, statuses)
        self._logged = Logged(sight, search)

    def newest(self) -> datetime | None:
        """Return up to when what was received is in the log, None where nothing is."""
        return self._search.newest()

    def read(self, kind: str, written: str) -> Resource | None:
        """Return a resource, None when there is none or it is not seen."""
        source = self._registered if self._registered.holds(kind) else self._logged
        return source.read(kind, written)

    def page(self, asked: Search) -> Page:
        """Return a page; BadSearchError for a value that cannot be read."""
        try:
            found, more = self._found(asked)
        except BadValue as error:
            raise BadSearchError(str(error)) from error
        return Page(found, self._included(asked, found), more)

    def _found(self, asked: Search) -> tuple[list[Resource], Mark | None]:
        kind = asked.kind.name
        if ids := asked.ids():
            meant = [one for one in sorted(ids) if one and ("date" not in asked.params or asked.in_time(one))]
            read = (self.read(kind, one) for one in meant)
            return [one for one in read if one is not None and asked.fits(one)], None
        if self._registered.holds(kind):
            after = str(asked.mark[0]) if asked.mark else ""
            found, last = self._registered.page(kind, asked.fits, after, asked.count)
            return found, (last,) if last is not None else None
        sought = asked.sought(self._search, self._sight.registry)
        return self._logged.page(kind, sought, asked.fits, asked.mark, asked.count)

    def _included(self, asked: Search, found: list[Resource]) -> list[Resource]:
        elements = {asked.kind.includes[name] for name in asked.include}
        wanted = dict.fromkeys(
            one for resource in found for element in elements for one in references_of(resource, element)
        )
        there = {f"{one['resourceType']}/{one['id']}" for one in found}
        read = (
            self.read(*one.split("/")) for one in wanted if one not in there and one.split("/")[0] in KINDS
        )
        return [one for one in read if one is not None]
