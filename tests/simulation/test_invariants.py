"""Each invariant can be broken: evidence that is tampered with is told of, in a sentence with its ids."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta

import pytest
from msgspec.structs import replace

from gateway.model.alert import AlertState, Severity
from gateway.model.trace import Verdict
from simulators.scenarios.build import make_walk
from simulators.scenarios.evidence import Evidence
from simulators.scenarios.scenario import read_scenario
from simulators.swarm.invariants import violations
from simulators.swarm.run import run_once

SCENARIO = {
    "title": {"sv": "x", "en": "y"},
    "about": {"sv": "x", "en": "y"},
    "homes": 4,
    "life": "still",
    "starts": "2026-11-24T20:00:00",
    "lasts": "40m",
    "happens": [
        {"at": "+10m", "device": "social_alarm:1", "do": "press"},
        {"at": "+12m", "device": "gps_alarm:1", "do": "fall"},
        {"at": "+33m", "device": "medication_dispenser:1", "do": "jam"},
    ],
    "fault": [
        {"kind": "corruption", "chance": 0.4, "bits": 9, "from": "+15m", "until": "+30m"},
        {"kind": "duplication", "chance": 0.5},
    ],
}


@pytest.fixture(scope="module")
def honest() -> Evidence:
    run = run_once(read_scenario(SCENARIO, "mine", "mine"))
    assert run.broken == []
    assert run.evidence is not None
    return run.evidence


def sos(evidence: Evidence) -> str:
    return next(alert.id for alert in evidence.alerts.values() if alert.rule == "sos")


def lose_an_accepted_frame(evidence: Evidence) -> None:
    token = max(evidence.acknowledged)
    device, payload = evidence.sent[token].device, evidence.came[token][0]
    for position, frame in list(evidence.frames.items()):
        if (frame.source, frame.payload) == (device, payload):
            del evidence.frames[position]


def double_an_event(evidence: Evidence) -> None:
    at = next(
        position
        for position, traces in evidence.traces.items()
        if traces[0].verdict is Verdict.DUPLICATE and b'"id"' in evidence.frames[position].payload
    )
    payload = evidence.frames[at].payload
    first = next(position for position, frame in evidence.frames.items() if frame.payload == payload)
    evidence.events[at] = evidence.events[first]


def let_a_deadline_pass(evidence: Evidence) -> None:
    alert = evidence.alerts[sos(evidence)]
    past = evidence.ends - timedelta(minutes=5)
    evidence.alerts[alert.id] = replace(alert, state=AlertState.OFFERED, deadline=past)


def leave_a_timer_behind(evidence: Evidence) -> None:
    key, timer = next(iter(evidence.snapshot.timers.items()))
    evidence.snapshot.timers[key] = replace(timer, due_at=evidence.begins)


def shelve_a_high_alert(evidence: Evidence) -> None:
    entries = evidence.entries[sos(evidence)]
    entries[-1] = replace(entries[-1], action="shelved", severity=Severity.HIGH)


def send_it_to_nobody(evidence: Evidence) -> None:
    evidence.deliveries[sos(evidence)] = []


def take_a_reason_away(evidence: Evidence) -> None:
    alert = evidence.alerts[sos(evidence)]
    evidence.alerts[alert.id] = replace(alert, reason="")


def tear_a_line_out(evidence: Evidence) -> None:
    del evidence.entries[sos(evidence)][1]


def stop_a_frame_without_a_word(evidence: Evidence) -> None:
    at = next(frame.position for frame in evidence.of_devices() if frame.position in evidence.traces)
    del evidence.traces[at]


def give_it_to_another_person(evidence: Evidence) -> None:
    alert = evidence.alerts[sos(evidence)]
    evidence.alerts[alert.id] = replace(alert, person="person-999")


def lose_quarantined_bytes(evidence: Evidence) -> None:
    evidence.quarantine.popitem()


def hold_a_lease_for_ever(evidence: Evidence) -> None:
    alert = evidence.alerts[sos(evidence)]
    taken = [one for one in evidence.entries[alert.id] if one.action == "accepted"]
    first = evidence.entries[alert.id][0]
    evidence.entries[alert.id] = [first, replace(taken[0], version=2)]
    deadline = evidence.ends + timedelta(days=9)
    evidence.alerts[alert.id] = replace(alert, state=AlertState.ACCEPTED, deadline=deadline, version=2)


BROKEN: list[tuple[Callable[[Evidence], None], str, str]] = [
    (lose_an_accepted_frame, "accepted is kept", "and is not in the journal"),
    (double_an_event, "nothing is doubled", "sent once became events of frames"),
    (let_a_deadline_pass, "nobody is forgotten", "is open and its deadline was"),
    (leave_a_timer_behind, "nobody is forgotten", "and is still waiting"),
    (shelve_a_high_alert, "high is never held back", "was shelved at"),
    (send_it_to_nobody, "high is never held back", "was sent to nobody"),
    (take_a_reason_away, "every decision has a reason", "has no reason"),
    (tear_a_line_out, "every decision has a reason", "its history has"),
    (stop_a_frame_without_a_word, "every decision has a reason", "and no remark says why"),
    (give_it_to_another_person, "persons are never merged", "which is of home-"),
    (lose_quarantined_bytes, "quarantine keeps the bytes", "its bytes are not there"),
    (hold_a_lease_for_ever, "every lease ends", "and that holds until"),
    (take_a_reason_away, "replay equals live", "reason = '', again"),
]


@pytest.mark.parametrize(
    ("tamper", "invariant", "said"), BROKEN, ids=[f"{one[0].__name__}-{one[1]}" for one in BROKEN]
)
def test_an_invariant_that_is_broken_is_told_with_its_evidence(
    tamper: Callable[[Evidence], None], invariant: str, said: str, honest: Evidence
) -> None:
    evidence = deepcopy(honest)
    tamper(evidence)

    found = [one.said for one in violations(make_walk(), evidence) if one.invariant == invariant]

    assert any(said in one for one in found)


def test_honest_evidence_breaks_nothing(honest: Evidence) -> None:
    assert violations(make_walk(), honest) == []
