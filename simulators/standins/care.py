"""A care system that takes records by HTTP and FHIR bundles, and a form for whoever would have to type.

Written from docs/care-systems.md. What it holds is on the disk before it answers.
"""

import html
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from simulators.standins.faults import Faults
from simulators.standins.fhir_store import FhirStore, Outcome
from simulators.standins.lines import Lines

NEEDED = ("form", "key", "version", "kind", "at", "tenant", "home", "text")
FORM = "vaka.care-record.v1"
MAX_LISTED = 1000


class CareStandIn:
    """Keeps every record once, by key, in its highest version; counts what people typed themselves.

    `strangers` are persons that it does not know: it refuses what concerns them. With a `folder` it
    begins with what it held when it was stopped or killed.
    """

    def __init__(
        self, folder: Path | None = None, token: str = "", say: Callable[[str], None] | None = None
    ) -> None:
        self.faults = Faults()
        self.records: dict[str, dict[str, Any]] = {}
        self.manual: list[dict[str, str]] = []
        self.strangers: set[str] = set()
        self.requests = self.repeats = self.older = 0
        self._token, self._say = token, say or (lambda _line: None)
        self._lines = Lines(folder / "care.jsonl") if folder else None
        self.fhir = FhirStore(self._keep)
        for line in self._lines.read() if self._lines else ():
            self._take(line)
        self.app = FastAPI(openapi_url=None)
        self.app.get("/")(self._page)
        self.app.post("/manual")(self._typed)
        self.app.get("/manual")(self._all_typed)
        self.app.get("/records")(self._list)
        self.app.get("/records/{key}")(self._read)
        self.app.put("/records/{key}")(self._put)
        self.app.post("/fhir")(self._bundle)
        self.app.get("/fhir/{kind}")(self._search)

    def close(self) -> None:
        """Release the file."""
        if self._lines:
            self._lines.close()

    def etag(self, key: str) -> str:
        """Return what names the version that is held of a record."""
        return f'"{self.records[key]["version"]}"'

    async def _met(self, request: Request) -> Response | None:
        """Return the answer of a service that fails, or of one that does not know who asks."""
        failing = await self.faults.meet()
        if (
            failing is None
            and self._token
            and request.headers.get("authorization") != f"Bearer {self._token}"
        ):
            return Response("who are you?", 401, media_type="text/plain")
        return failing

    async def _put(self, key: str, request: Request) -> Response:
        self.requests += 1
        if (failing := await self._met(request)) is not None:
            return failing
        record, fault = _read_record(key, await request.body())
        if fault or record.get("person") in self.strangers:
            return JSONResponse({"error": fault or "nobody here is called that"}, 422)
        held = self.records.get(key)
        if held is not None and held["version"] > record["version"]:
            self.older += 1
            return JSONResponse({"error": "a later version is here"}, 409, headers={"etag": self.etag(key)})
        if held is not None and request.headers.get("if-none-match", "") in ("*", self.etag(key)):
            self.repeats += 1
            return Response(status_code=412, headers={"etag": self.etag(key)})
        self._keep({"record": record})
        self.records[key] = record
        self._say(f"{record['kind']} {key} version {record['version']}: {record['text']}")
        headers = {"etag": self.etag(key), "location": f"/records/{key}"}
        return Response(status_code=200 if held else 201, headers=headers)

    async def _list(self, request: Request, after: str = "", limit: int = MAX_LISTED) -> Response:
        if (failing := await self._met(request)) is not None:
            return failing
        names = sorted(key for key in self.records if key > after)[: min(limit, MAX_LISTED)]
        listed = [
            {"key": key, "version": self.records[key]["version"], "etag": self.etag(key)} for key in names
        ]
        return JSONResponse({"records": listed})

    async def _read(self, key: str) -> Response:
        if key not in self.records:
            return JSONResponse({"error": "no such record"}, 404)
        return JSONResponse(self.records[key], headers={"etag": self.etag(key)})

    async def _bundle(self, request: Request) -> Response:
        self.requests += 1
        if (failing := await self._met(request)) is not None:
            return failing
        outcome = self.fhir.transact(await request.body(), self.strangers)
        return _fhir(outcome)

    async def _search(self, kind: str, request: Request) -> Response:
        if (failing := await self._met(request)) is not None:
            return failing
        return _fhir(self.fhir.search(kind, dict(request.query_params)))

    async def _page(self) -> Response:
        rows = "".join(
            f"<li>{html.escape(one['at'])} {html.escape(one['text'])} ({html.escape(one['kind'])})</li>"
            for one in self.records.values()
        )
        text = '<textarea name="text" aria-label="Anteckning"></textarea>'
        form = f'<form method="post" action="/manual">{text}<button>Spara</button></form>'
        counted = f"<p>{len(self.records)} poster, {len(self.manual)} skrivna för hand</p>"
        return HTMLResponse(f"<!doctype html><title>Journal</title><ul>{rows}</ul>{counted}{form}")

    async def _typed(self, request: Request) -> Response:
        said = parse_qs((await request.body()).decode(errors="replace"))
        entry = {"at": datetime.now(UTC).isoformat(), "text": said.get("text", [""])[0]}
        self._keep({"manual": entry})
        self.manual.append(entry)
        return Response(status_code=303, headers={"location": "/"})

    async def _all_typed(self) -> Response:
        return JSONResponse({"count": len(self.manual), "entries": self.manual})

    def _keep(self, line: dict[str, Any]) -> None:
        if self._lines:
            self._lines.write(line)

    def _take(self, line: dict[str, Any]) -> None:
        if "record" in line:
            self.records[line["record"]["key"]] = line["record"]
        elif "manual" in line:
            self.manual.append(line["manual"])
        else:
            self.fhir.take(line)


def _read_record(key: str, body: bytes) -> tuple[dict[str, Any], str]:
    """Return a record, or the reason why it is none."""
    try:
        record = json.loads(body)
    except ValueError:
        return {}, "no JSON"
    if not isinstance(record, dict) or record.get("form") != FORM:
        return {}, f"form: allowed: {FORM}"
    missing = [name for name in NEEDED if name not in record]
    if missing or record["key"] != key or not isinstance(record["version"], int):
        return {}, f"missing: {missing}" if missing else "the key is not that of the address"
    return record, ""


def _fhir(outcome: Outcome) -> Response:
    return Response(json.dumps(outcome.body), outcome.status, media_type="application/fhir+json")
