"""Kinds: every type of resource that is served, how it can be searched, and what comes with it.

One table: the routes serve by it and the CapabilityStatement is made of it.
"""

from collections.abc import Mapping
from functools import cache

import msgspec

from gateway.fhir.all_of import UNTOLD
from gateway.fhir.audited import DOORS
from gateway.fhir.given import GIVEN, NOT_GIVEN
from gateway.fhir.looks import LOOKS
from gateway.fhir.terms import word_codings
from gateway.model.vocabulary import VOCABULARY

TOKEN, REFERENCE, DATE = "token", "reference", "date"
ID, UPDATED = "_id", "_lastUpdated"
CONTROLS = frozenset({"_count", "_include", "_sort", "_format", "_pretty", "_page"})
"""Parameters of every search beside those that narrow it."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One type: parameters with their types, the elements `_include` follows, orders, and words it tells."""

    name: str
    params: Mapping[str, str]
    includes: Mapping[str, str] = {}
    sorts: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    note: str = ""


_WHO = {"patient": REFERENCE, "subject": REFERENCE}
_LOG = {UPDATED: DATE}
_BY_LOG = (UPDATED, f"-{UPDATED}")
_BY_TIME = (*_BY_LOG, "date", "-date")
_REGISTRY = "The registry keeps no time of change for it."

KINDS: Mapping[str, Kind] = {
    one.name: one
    for one in (
        Kind(name="Organization", params={"identifier": TOKEN}, note=_REGISTRY),
        Kind(name="Location", params={"identifier": TOKEN}, note=_REGISTRY),
        Kind(name="Patient", params={"identifier": TOKEN, "gender": TOKEN}, note=_REGISTRY),
        Kind(
            name="Device",
            params={"identifier": TOKEN, "status": TOKEN, "type": TOKEN, "patient": REFERENCE},
            includes={"patient": "patient", "location": "location"},
            note="lastUpdated is when it was last heard.",
        ),
        Kind(
            name="DeviceUseStatement",
            params={"patient": REFERENCE, "subject": REFERENCE, "device": REFERENCE},
            includes={"patient": "subject", "subject": "subject", "device": "device"},
            note=_REGISTRY,
        ),
        Kind(
            name="Consent",
            params={"patient": REFERENCE, "status": TOKEN},
            includes={"patient": "patient"},
            note="As the registry has it: the signed paper is the municipality's.",
        ),
        Kind(
            name="Group",
            params={"identifier": TOKEN},
            note="A pilot: its devices, for bulk export.",
        ),
        Kind(
            name="Observation",
            params={**_LOG, **_WHO, "device": REFERENCE, "code": TOKEN, "status": TOKEN, "date": DATE},
            includes={"device": "device", "patient": "subject", "subject": "subject"},
            sorts=_BY_TIME,
            words=frozenset(VOCABULARY) - UNTOLD,
        ),
        Kind(
            name="MedicationDispense",
            params={**_LOG, **_WHO, "performer": REFERENCE, "status": TOKEN, "date": DATE},
            includes={"patient": "subject", "subject": "subject", "performer": "performer"},
            sorts=_BY_TIME,
            words=GIVEN | NOT_GIVEN,
            note="date is when it happened, also of a dose that was not given.",
        ),
        Kind(
            name="Encounter",
            params={**_LOG, **_WHO, "status": TOKEN, "date": DATE},
            includes={"patient": "subject", "subject": "subject"},
            sorts=_BY_TIME,
            words=LOOKS,
        ),
        Kind(
            name="Composition",
            params={**_LOG, **_WHO},
            includes={"patient": "subject", "subject": "subject", "encounter": "encounter"},
            words=LOOKS,
            note="Notes on looks, then those on closed alerts.",
        ),
        Kind(
            name="AuditEvent",
            params=_LOG,
            words=DOORS,
            note="Locks, then the lines of alerts' histories.",
        ),
        Kind(
            name="DetectedIssue",
            params={**_LOG, "patient": REFERENCE, "author": REFERENCE, "status": TOKEN, "code": TOKEN},
            includes={"patient": "patient", "author": "author"},
            sorts=_BY_LOG,
        ),
        Kind(
            name="Task",
            params={
                **_LOG,
                "patient": REFERENCE,
                "focus": REFERENCE,
                "status": TOKEN,
                "business-status": TOKEN,
            },
            includes={"focus": "focus", "patient": "for"},
            sorts=_BY_LOG,
        ),
        Kind(
            name="Communication",
            params={**_LOG, **_WHO, "status": TOKEN},
            includes={"about": "about", "patient": "subject", "subject": "subject"},
            sorts=_BY_LOG,
            note="lastUpdated is when the delivery was queued; the order is that of the last change.",
        ),
        Kind(name="Provenance", params=_LOG, includes={"target": "target"}, sorts=_BY_LOG),
    )
}
"""In the order in which a bulk export writes them."""


@cache
def words_coded(system: str | None, code: str) -> frozenset[str]:
    """Return the words of the vocabulary that a code is of, None for whatever system, "" for every code."""
    return frozenset(
        word
        for word in VOCABULARY
        for one in word_codings(word)
        if code in {"", one["code"]} and system in {None, one["system"]}
    )
