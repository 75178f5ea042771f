"""A FHIR server's transactions: conditional update by identifier, all or nothing (FHIR R4, RESTful API)."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

Resource = dict[str, Any]
MAX_FOUND = 1000
GIVEN_BY_SERVER = ("versionId", "lastUpdated")


class Outcome(NamedTuple):
    """An HTTP status with its body."""

    status: int
    body: Resource


class RefusedError(Exception):
    """Why an entry cannot be carried out."""

    def __init__(self, status: int, code: str, why: str) -> None:
        super().__init__(why)
        self.status, self.code = status, code


class FhirStore:
    """Resources by type and id; `keep` hears each change before it holds."""

    def __init__(self, keep: Callable[[dict[str, Any]], None]) -> None:
        self.held: dict[tuple[str, str], Resource] = {}
        self.created = self.updated = self.unchanged = 0
        self._keep = keep
        self._ids = count(1)

    def take(self, line: dict[str, Any]) -> None:
        """Take what was kept before."""
        for resource in line["resources"]:
            self.held[resource["resourceType"], resource["id"]] = resource
        self._ids = count(len(self.held) + 1)

    def transact(self, body: bytes, strangers: set[str]) -> Outcome:
        """Carry out a transaction bundle, or nothing of it."""
        try:
            return Outcome(200, self._carried_out(_entries(json.loads(body), body.decode(), strangers)))
        except ValueError:
            return _refused(RefusedError(400, "structure", "no JSON"))
        except RefusedError as refusal:
            return _refused(refusal)

    def search(self, kind: str, asked: Mapping[str, str]) -> Outcome:
        """Find by identifier or tag (`system|value`, or `system|` for all of it), a page at a time."""
        found = [one for (typed, _), one in self.held.items() if typed == kind and _fits(one, asked)]
        first, count_of = int(asked.get("_offset", 0)), min(int(asked.get("_count", MAX_FOUND)), MAX_FOUND)
        entries = [
            {"fullUrl": f"{kind}/{one['id']}", "resource": one} for one in found[first : first + count_of]
        ]
        listed: Resource = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(found),
            "entry": entries,
        }
        if first + count_of < len(found):
            more = urlencode({**asked, "_offset": str(first + count_of)})
            listed["link"] = [{"relation": "next", "url": f"{kind}?{more}"}]
        return Outcome(200, listed)

    def _carried_out(self, entries: list[Resource]) -> Resource:
        planned = [self._planned(entry) for entry in entries]
        names = {
            entry["fullUrl"]: f"{one['resourceType']}/{one['id']}"
            for entry, (one, _) in zip(entries, planned, strict=True)
            if "fullUrl" in entry
        }
        changed, answers = [], []
        for resource, held in planned:
            new = _renamed(resource, names)
            same = held is not None and _plain(held) == _plain(new)
            version = int(held["meta"]["versionId"]) if held else 0
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            if same and held is not None:
                new, self.unchanged = held, self.unchanged + 1
            else:
                new["meta"] = {**new.get("meta", {}), "versionId": str(version + 1), "lastUpdated": now}
                changed.append(new)
                self.created, self.updated = self.created + (held is None), self.updated + (held is not None)
            name, version_id = f"{new['resourceType']}/{new['id']}", new["meta"]["versionId"]
            answers.append({
                "response": {
                    "status": "201 Created" if held is None else "200 OK",
                    "location": f"{name}/_history/{version_id}",
                    "etag": f'W/"{version_id}"',
                    "lastModified": new["meta"]["lastUpdated"],
                }
            })  # fmt: skip
        self._keep({"resources": changed})
        for one in changed:
            self.held[one["resourceType"], one["id"]] = one
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": answers}

    def _planned(self, entry: Resource) -> tuple[Resource, Resource | None]:
        """Return what an entry wants to stand, with its id, and what stands there now."""
        request, resource = entry.get("request", {}), entry.get("resource", {})
        kind, method = resource.get("resourceType"), request.get("method")
        url = urlsplit(request.get("url", ""))
        if method not in ("PUT", "POST") or not kind or url.path != kind:
            raise RefusedError(400, "not-supported", "allowed: PUT or POST of a resource to its own type")
        query = url.query if method == "PUT" else request.get("ifNoneExist", "")
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        if not asked or not asked.keys() <= {"identifier", "_tag"} or not _fits(resource, asked):
            raise RefusedError(412, "invariant", f"{kind}: what is asked for is not the resource's own")
        found = [one for (typed, _), one in self.held.items() if typed == kind and _fits(one, asked)]
        if len(found) > 1:
            raise RefusedError(412, "multiple-matches", f"{kind}: {query} stands for {len(found)}")
        held = found[0] if found else None
        if held is not None and method == "POST":
            return held, held
        return {**resource, "id": held["id"] if held else f"r{next(self._ids)}"}, held


def _entries(bundle: Resource, text: str, strangers: set[str]) -> list[Resource]:
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "transaction":
        raise RefusedError(400, "structure", "allowed: a Bundle of type transaction")
    if unknown := [one for one in strangers if one in text]:
        raise RefusedError(422, "not-found", f"nobody here is called {unknown[0]}")
    found: list[Resource] = bundle.get("entry", [])
    return found


def _fits(resource: Resource, asked: Mapping[str, str]) -> bool:
    own = {"identifier": _identifiers(resource), "_tag": _tags(resource)}
    return all(_any_fits(own[name], asked[name]) for name in own if name in asked)


def _any_fits(own: set[str], asked: str) -> bool:
    return asked in own or (asked.endswith("|") and any(one.startswith(asked) for one in own))


def _tags(resource: Resource) -> set[str]:
    tags = resource.get("meta", {}).get("tag", [])
    return {f"{one.get('system', '')}|{one.get('code', '')}" for one in tags}


def _identifiers(resource: Resource) -> set[str]:
    given = resource.get("identifier", [])
    listed = given if isinstance(given, list) else [given]
    return {f"{one.get('system', '')}|{one.get('value', '')}" for one in listed}


def _plain(resource: Resource) -> Resource:
    kept = {name: one for name, one in resource.get("meta", {}).items() if name not in GIVEN_BY_SERVER}
    return {**resource, "meta": kept}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return a resource whose references within the bundle are those of the server."""
    if isinstance(value, dict):
        return {
            key: names.get(one, one) if key == "reference" and isinstance(one, str) else _renamed(one, names)
            for key, one in value.items()
        }
    return [_renamed(one, names) for one in value] if isinstance(value, list) else value


def _refused(refusal: RefusedError) -> Outcome:
    issue = {"severity": "error", "code": refusal.code, "diagnostics": str(refusal)}
    return Outcome(refusal.status, {"resourceType": "OperationOutcome", "issue": [issue]})
