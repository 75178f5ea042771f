"""FHIR: one transaction a record, with a Task that is found by the record's key and replaced."""

from collections.abc import Mapping

from gateway.contract import Handed, TapFault
from gateway.tap_settings import CareSettings
from gateway.taps.calls import Caller
from gateway.taps.care.as_fhir import RECORD, entries_of_record, version_in
from gateway.taps.care.carrier import Held, proved, refused
from gateway.taps.care.records import CareRecord
from gateway.taps.transaction import FHIR, bundle_of, transact

MAX_PAGES = 10_000


class FhirConnector:
    """Posts transactions to `url`, the base of a FHIR R4 server; their entries' responses are the proofs."""

    def __init__(self, settings: CareSettings) -> None:
        self._calls = Caller(settings.url or "", settings.token, FHIR)

    async def put(self, record: CareRecord) -> Handed:
        """Hand over a record; TapFault when the receiver is disturbed."""
        entries = entries_of_record(record)
        answer = await transact(self._calls, bundle_of(entries), len(entries))
        if answer.refused:
            return refused(record, answer.refused)
        return proved(record, answer.proofs[0])

    async def held(self) -> Mapping[str, Held] | None:
        """Search the server for the Tasks of records; follows its own links to further pages."""
        found: dict[str, Held] = {}
        asked: dict[str, str] | None = {"identifier": f"{RECORD}|", "_count": "500"}
        path = "/Task"
        for _ in range(MAX_PAGES):
            answer = await self._calls.send("GET", path, params=asked)
            try:
                bundle = answer.json()
                for entry in bundle.get("entry", []):
                    task = entry["resource"]
                    keys = [one["value"] for one in task.get("identifier", []) if one.get("system") == RECORD]
                    found |= {key: Held(version=version_in(task)) for key in keys}
                links = {one["relation"]: one["url"] for one in bundle.get("link", [])}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise TapFault(f"its list of Tasks cannot be read: {type(error).__name__}") from error
            if "next" not in links:
                break
            path, asked = self._below(links["next"]), None
        return found

    async def close(self) -> None:
        """Release connections."""
        await self._calls.close()

    def _below(self, link: str) -> str:
        """Return a link of the server as a path below its base; TapFault for one that leads elsewhere."""
        if link.startswith(self._calls.url):
            return link.removeprefix(self._calls.url)
        if "://" in link:
            raise TapFault("its next page is not below its own address")
        return f"/{link.lstrip('/')}"
