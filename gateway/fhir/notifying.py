"""Notifying: what the endpoint of a topic's subscription is sent (Subscriptions R5 Backport 1.1.0, R4)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from gateway.fhir.subscribing import BACKPORT, Subscription
from gateway.fhir.terms import Resource, moment

STATUS_PROFILE = f"{BACKPORT}/backport-subscription-status-r4"


class Notice(NamedTuple):
    """What is told: why, which resources, the number of the first of them, how many were told by then."""

    kind: Literal["handshake", "event-notification", "query-status"]
    at: datetime
    resources: Sequence[Resource] = ()
    number: int = 1
    status: str = "active"

    @property
    def told(self) -> int:
        """How many were told with these."""
        return self.number + len(self.resources) - 1


def status_of(one: Subscription, base: str, notice: Notice) -> Resource:
    """Return the status of a topic's subscription, with what is told now."""
    parameters: list[Resource] = [
        {"name": "subscription", "valueReference": {"reference": f"{base}/Subscription/{one.id}"}},
        {"name": "topic", "valueCanonical": one.topic},
        {"name": "status", "valueCode": notice.status},
        {"name": "type", "valueCode": notice.kind},
        {"name": "events-since-subscription-start", "valueString": str(notice.told)},
    ]
    return {
        "resourceType": "Parameters",
        "id": f"status-{one.id}",
        "meta": {"profile": [STATUS_PROFILE]},
        "parameter": [*parameters, *_events(one, base, notice)],
    }


def notification(one: Subscription, base: str, notice: Notice) -> Resource:
    """Return the Bundle that tells of resources: the status first, then as much as was asked for."""
    first: Resource = {
        "fullUrl": f"{base}/Parameters/status-{one.id}",
        "resource": status_of(one, base, notice),
        "request": {"method": "GET", "url": f"Subscription/{one.id}/$status"},
        "response": {"status": "200"},
    }
    entries = [first]
    if one.content != "empty":
        entries += [
            _entry(resource, base, whole=one.content == "full-resource") for resource in notice.resources
        ]
    return {"resourceType": "Bundle", "type": "history", "timestamp": moment(notice.at), "entry": entries}


def _events(one: Subscription, base: str, notice: Notice) -> Iterator[Resource]:
    for number, resource in enumerate(notice.resources, notice.number):
        part: list[Resource] = [
            {"name": "event-number", "valueString": str(number)},
            {"name": "timestamp", "valueInstant": moment(notice.at)},
        ]
        if one.content != "empty":
            address = f"{base}/{resource['resourceType']}/{resource['id']}"
            part.append({"name": "focus", "valueReference": {"reference": address}})
        yield {"name": "notification-event", "part": part}


def _entry(resource: Resource, base: str, *, whole: bool) -> Resource:
    name = f"{resource['resourceType']}/{resource['id']}"
    entry: Resource = {
        "fullUrl": f"{base}/{name}",
        "request": {"method": "PUT", "url": name},
        "response": {"status": "200"},
    }
    return entry | ({"resource": resource} if whole else {})
