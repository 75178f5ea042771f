"""HTTP: one PUT a record, by its key; what a receiver must do is in docs/care-systems.md."""

from collections.abc import Mapping

from gateway.contract import Handed, TapFault
from gateway.tap_settings import CareSettings
from gateway.taps.calls import Caller, said
from gateway.taps.care.carrier import Held, proved, refused
from gateway.taps.care.records import CareRecord, encode

THERE = frozenset({409, 412})
"""It has this version already, or a later one: as good a proof as a 201."""
NO_LIST = frozenset({404, 405, 501})
PAGE = 1000


class HttpConnector:
    """Puts records to `url`/records/{key}; created, or replaced by a higher version, and never doubled."""

    def __init__(self, settings: CareSettings) -> None:
        self._calls = Caller(settings.url or "", settings.token)

    async def put(self, record: CareRecord) -> Handed:
        """Hand over a record; TapFault when the receiver is disturbed."""
        headers = {
            "content-type": "application/json",
            "idempotency-key": f"{record.key}/{record.version}",
            "if-none-match": "*" if record.settled else f'"{record.version}"',
        }
        answer = await self._calls.send("PUT", f"/records/{record.key}", body=encode(record), headers=headers)
        if answer.status_code in THERE or answer.is_success:
            told = (answer.headers.get("etag", ""), answer.headers.get("location", ""))
            return proved(record, " ".join((str(answer.status_code), *(one for one in told if one))))
        return refused(record, said(answer))

    async def held(self) -> Mapping[str, Held] | None:
        """Read the receiver's list, page by page; None where it offers none."""
        found: dict[str, Held] = {}
        after = ""
        while True:
            try:
                asked = {"after": after, "limit": str(PAGE)}
                answer = await self._calls.send("GET", "/records", params=asked)
            except TapFault as fault:
                if str(fault).removeprefix("HTTP ") in {str(one) for one in NO_LIST} and not found:
                    return None
                raise
            try:
                listed = {one["key"]: Held(version=int(one["version"])) for one in answer.json()["records"]}
            except (ValueError, KeyError, TypeError) as error:
                raise TapFault(f"its list of records cannot be read: {type(error).__name__}") from error
            if not listed.keys() - found.keys():
                return found
            found |= listed
            after = max(listed)

    async def close(self) -> None:
        """Release connections."""
        await self._calls.close()
