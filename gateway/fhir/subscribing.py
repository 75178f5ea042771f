"""Subscribing: a Subscription as it is asked for, and what is sent when it is met; pure.

Two kinds: R4's own rest-hook, whose criteria is a search string, and the topics of the R5 backport
(Subscriptions R5 Backport 1.1.0 for R4), whose criteria is one of our topics with filters.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from gateway.fhir.asked import BadValue, alternatives, ids_of, period_of
from gateway.fhir.fits import fits
from gateway.fhir.kinds import DATE, ID, KINDS, UPDATED
from gateway.fhir.terms import BASE, Resource, moment

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
FILTER, CONTENT = f"{BACKPORT}/backport-filter-criteria", f"{BACKPORT}/backport-payload-content"
UNSUPPORTED = (f"{BACKPORT}/backport-heartbeat-period",)
TOPICS: Mapping[str, frozenset[str]] = {
    f"{BASE}/SubscriptionTopic/alert": frozenset({"DetectedIssue", "Task", "Composition"}),
    f"{BASE}/SubscriptionTopic/event": frozenset(
        {"Observation", "MedicationDispense", "Encounter", "Composition", "AuditEvent"}
    ),
    f"{BASE}/SubscriptionTopic/audit": frozenset({"AuditEvent", "Provenance"}),
}
"""What each topic is about."""
TOLD = frozenset().union(*TOPICS.values())
CONTENTS = ("empty", "id-only", "full-resource")
JSON_TYPES = frozenset({"application/fhir+json", "application/json"})
MAX_HEADERS, MAX_TEXT = 10, 1024


class BadSubscription(ValueError):  # noqa: N818 - it is the subscription that is bad
    """A Subscription that cannot be taken; names the element, what was found, what is allowed."""


class Criterion(msgspec.Struct, frozen=True):
    """Resources of one type that are as every parameter asks."""

    kind: str
    params: Mapping[str, Sequence[str]] = {}

    def fits(self, resource: Resource) -> bool:
        """Tell whether a resource meets it."""
        return resource["resourceType"] == self.kind and fits(resource, self.params, KINDS[self.kind].params)


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as it is kept; `topic` is "" for one of R4; `headers` are secrets, never told again."""

    id: str
    actor: str
    tenants: tuple[str, ...]
    endpoint: str
    created_at: datetime
    topic: str = ""
    criteria: tuple[Criterion, ...] = ()
    asked: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    sends: bool = True
    content: str = "full-resource"
    end: datetime | None = None
    reason: str = ""

    def fits(self, resource: Resource) -> bool:
        """Tell whether a resource is one of those that are waited for."""
        kind = resource["resourceType"]
        if self.topic and kind not in TOPICS[self.topic]:
            return False
        of_kind = [one for one in self.criteria if one.kind == kind]
        return (
            any(one.fits(resource) for one in of_kind) if of_kind else bool(self.topic) and not self.criteria
        )


def read_subscription(
    found: Any, subscription_id: str, actor: str, tenants: Sequence[str], at: datetime
) -> Subscription:
    """Read a Subscription as somebody asks for it; BadSubscription."""
    if not isinstance(found, dict) or found.get("resourceType") != "Subscription":
        raise BadSubscription("resourceType: found something else; allowed: Subscription")
    channel = found.get("channel")
    if not isinstance(channel, dict) or channel.get("type") != "rest-hook":
        raise BadSubscription("channel.type: found something else; allowed: rest-hook")
    if any(one.get("url") in UNSUPPORTED for one in _extensions("channel", channel)):
        raise BadSubscription(
            "channel.extension: found a heartbeat period; allowed: none, heartbeats are not sent"
        )
    criteria = found.get("criteria")
    if not isinstance(criteria, str) or len(criteria) > MAX_TEXT:
        raise BadSubscription(f"criteria: found none; allowed: Type?parameter=value, or {', '.join(TOPICS)}")
    topic = criteria if criteria in TOPICS else ""
    asked = tuple(_filters(found)) if topic else (criteria,)
    payload = channel.get("payload", "")
    if payload and not (isinstance(payload, str) and payload in JSON_TYPES):
        raise BadSubscription(
            f"channel.payload: found {str(payload)[:80]!r}; allowed: {', '.join(JSON_TYPES)}"
        )
    return Subscription(
        id=subscription_id,
        actor=actor,
        tenants=tuple(tenants),
        endpoint=_endpoint(channel),
        created_at=at,
        topic=topic,
        criteria=tuple(_criterion(one, topic) for one in asked),
        asked=asked,
        headers=tuple(_headers(channel)),
        sends=bool(payload) or bool(topic),
        content=_content(channel) if topic else "full-resource",
        end=_end(found, at),
        reason=str(found.get("reason", ""))[:200],
    )


def resource_of(one: Subscription, status: str, error: str) -> Resource:
    """Return a subscription as FHIR tells it, without its headers' values."""
    channel: Resource = {"type": "rest-hook", "endpoint": one.endpoint}
    if one.sends:
        channel["payload"] = "application/fhir+json"
    if one.headers:
        channel["header"] = [f"{header.partition(':')[0]}: ***" for header in one.headers]
    told: Resource = {
        "resourceType": "Subscription",
        "id": one.id,
        "meta": {"lastUpdated": moment(one.created_at)},
        "status": status,
        "reason": one.reason or "not told",
        "criteria": one.topic or one.asked[0],
        "channel": channel,
    }
    if one.topic:
        told["meta"]["profile"] = [f"{BACKPORT}/backport-subscription"]
        channel["_payload"] = {"extension": [{"url": CONTENT, "valueCode": one.content}]}
        if one.asked:
            told["_criteria"] = {"extension": [{"url": FILTER, "valueString": text} for text in one.asked]}
    if one.end:
        told["end"] = moment(one.end)
    return told | ({"error": error} if error else {})


def _criterion(text: str, topic: str) -> Criterion:
    kind, _, query = text.partition("?")
    allowed = TOPICS[topic] if topic else TOLD
    if kind not in allowed:
        raise BadSubscription(f"criteria: found {text[:80]!r}; allowed: {', '.join(sorted(allowed))}, then ?")
    params: dict[str, list[str]] = {}
    for name, value in _pairs(query):
        types = {**KINDS[kind].params, ID: "token"}
        if name not in types or (types[name] == DATE and name != UPDATED):
            allowed_names = ", ".join(sorted(n for n, t in types.items() if t != DATE or n == UPDATED))
            raise BadSubscription(f"criteria: found the parameter {name[:40]!r}; allowed: {allowed_names}")
        _check(name, value, types[name])
        params.setdefault(name, []).append(value)
    return Criterion(kind, params)


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True)
    except ValueError as error:
        raise BadSubscription("criteria: found too many parameters, or none that can be read") from error


def _check(name: str, value: str, type_: str) -> None:
    """Refuse a value that cannot be read, and one that says nothing: it would be met by everything."""
    if not any(alternatives([value])):
        raise BadSubscription(f"criteria: found {name} with nothing; allowed: a value")
    try:
        if type_ == DATE:
            period_of(name, [value])
        elif name in {"patient", "device"}:
            ids_of(name, [value], name.capitalize())
    except BadValue as error:
        raise BadSubscription(f"criteria: {error}") from error


def _filters(found: Mapping[str, Any]) -> list[str]:
    filters = [one for one in _extensions("_criteria", found.get("_criteria")) if one.get("url") == FILTER]
    return [str(one.get("valueString", ""))[:MAX_TEXT] for one in filters]


def _extensions(name: str, found: Any) -> list[Mapping[str, Any]]:
    """Return the extensions of an element, or beside a value; none where there is nothing."""
    if found is None:
        return []
    extensions = found.get("extension", []) if isinstance(found, dict) else None
    if not isinstance(extensions, list) or not all(isinstance(one, dict) for one in extensions):
        raise BadSubscription(f"{name}.extension: found something else; allowed: a list of extensions")
    return extensions


def _endpoint(channel: Mapping[str, Any]) -> str:
    endpoint = channel.get("endpoint")
    if not isinstance(endpoint, str) or not endpoint or len(endpoint) > MAX_TEXT:
        raise BadSubscription("channel.endpoint: found none; allowed: https://...")
    return endpoint.rstrip("/")


def _headers(channel: Mapping[str, Any]) -> list[str]:
    headers = channel.get("header", [])
    if not isinstance(headers, list) or len(headers) > MAX_HEADERS:
        raise BadSubscription(f"channel.header: allowed: at most {MAX_HEADERS}")
    for header in headers:
        good = (
            isinstance(header, str) and len(header) <= MAX_TEXT and header.isascii() and header.isprintable()
        )
        if not good or not header.partition(":")[0].strip() or ":" not in header:
            raise BadSubscription("channel.header: found one without a name; allowed: Name: value")
    return [str(header) for header in headers]


def _content(channel: Mapping[str, Any]) -> str:
    extensions = _extensions("channel._payload", channel.get("_payload"))
    found = [one.get("valueCode") for one in extensions if one.get("url") == CONTENT]
    if not found:
        return "empty"
    if found[0] not in CONTENTS:
        raise BadSubscription(
            f"channel.payload: found the content {found[0]!r}; allowed: {', '.join(CONTENTS)}"
        )
    return str(found[0])


def _end(found: Mapping[str, Any], now: datetime) -> datetime | None:
    if "end" not in found:
        return None
    try:
        end = datetime.fromisoformat(str(found["end"]))
    except ValueError as error:
        raise BadSubscription("end: found no instant; allowed: 2026-03-01T07:30:00Z") from error
    if end.tzinfo is None:
        raise BadSubscription("end: found no offset; allowed: 2026-03-01T07:30:00Z")
    if end <= now:
        raise BadSubscription("end: found a moment that is past; allowed: one that is to come")
    return end
