"""The mutant table: a lock with one fault for each must-clause, caught by exactly that clause."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from virtual_bench import BASE, Device, declared, play, rig

from gateway.conformance.cases import CASES
from gateway.conformance.pics import CLAUSE
from gateway.conformance.run import Run, Standing
from gateway.conformance.verdict import Verdict
from gateway.contract.clauses import clauses_of
from simulators.outputs import Message

PICS = {
    "mqtt": ["5", "3.1.1"],
    "events": ["lock.locked", "lock.unlocked", "heartbeat"],
    "commands": ["lock"],
    "config": ["heartbeat_s"],
    "telemetry": True,
}
Mutation = Callable[[Device], None]


def field(name: str, value: Any) -> Mutation:
    """Spoil one field of every event."""

    def spoil(device: Device) -> None:
        device.spoil = lambda event: event.update({name: value})

    return spoil


def also(branch: str, payload: bytes, *, retain: bool = False) -> Mutation:
    """Say something wrong once, beside all that is right."""

    def spoil(device: Device) -> None:
        on = device.on

        def wrongly() -> None:
            on()
            topic = branch if "/" in branch else f"{BASE}/{branch}"
            device.client.publish(Message(topic, payload, retain=retain))

        device.on = wrongly  # type: ignore[method-assign]

    return spoil


def will(payload: bytes) -> Mutation:
    def spoil(device: Device) -> None:
        def on() -> None:
            device.client.up(Message(f"{BASE}/status", payload, retain=True))
            device.say("status", {"state": "online", "firmware": "1.0.0"}, retain=True)

        device.on = on  # type: ignore[method-assign]

    return spoil


def deaf_to_what_is_new(device: Device) -> None:
    hear = device.hear

    def strict(name: str, leaf: str, payload: bytes) -> None:
        if b"a_field_of_tomorrow" not in payload:
            hear(name, leaf, payload)

    device.client.heard = strict


def without_an_outcome(device: Device) -> None:
    def hear(_name: str, leaf: str, payload: bytes) -> None:
        body = msgspec.json.decode(payload)
        if leaf == "command":
            device.say("result", {"id": body["id"]})
        else:
            told = {"state": "online", "firmware": "1.0.0", "config_revision": body["revision"]}
            device.say("status", told, retain=True)

    device.client.heard = hear


def counting_in_a_circle(device: Device) -> None:
    def spoil(event: dict[str, Any]) -> None:
        event["sequence"] = 7

    device.spoil = spoil


def reading(word: str, value: float) -> bytes:
    one = {"type": f"vaka.{word}.v1", "time": "2026-11-23T08:00:00+00:00", "data": {"battery_percent": value}}
    return msgspec.json.encode({"readings": [one]})


STRANGE_WORD = msgspec.json.encode(
    {
        "specversion": "1.0",
        "id": "x",
        "type": "vaka.lock.sung.v1",
        "time": "2026-11-23T08:00:00Z",
        "sequence": 900,
        "clockquality": "synced",
        "data": {},
    }
)
MUTANTS: dict[str, Mutation] = {
    "VDI-MQTT-01": also("vaka/1/demo/another-lock/event", b"{}"),
    "VDI-MQTT-02": also("debug", b"{}"),
    "VDI-MQTT-03": also("event", b""),
    "VDI-MQTT-06": will(b'{"state":"offline","time":"2026-11-23T08:00:00+00:00"}'),
    "VDI-ENC-01": also("event", b'{"specversion":"\xff"}'),
    "VDI-ENC-02": also("event", b"locked"),
    "VDI-EVT-01": field("specversion", "0.3"),
    "VDI-EVT-02": field("id", ""),
    "VDI-EVT-03": also(
        "event",
        b'{"specversion":"1.0","id":"x","type":"vaka.lock.sung.v1","time":"2026-11-23T08:00:00Z","data":{}}',
    ),
    "VDI-EVT-05": field("source", "vaka:demo/another-lock"),
    "VDI-EVT-06": field("time", "2026-11-23T08:00:00"),
    "VDI-EVT-07": field("data", {"means": "magic"}),
    "VDI-EVT-08": counting_in_a_circle,
    "VDI-EVT-09": field("clockquality", "perfect"),
    "VDI-EVT-10": deaf_to_what_is_new,
    "VDI-STA-01": also("status", b'{"state":"asleep"}', retain=True),
    "VDI-STA-02": also("status", b'{"state":"online","battery":400}', retain=True),
    "VDI-TEL-01": also("telemetry", b'{"readings":[]}'),
    "VDI-TEL-02": also("telemetry", reading("lock.unlocked", 50)),
    "VDI-RES-01": without_an_outcome,
    "VDI-LOCK-02": field("data", {"means": "code", "credential": "4711"}),
}
"""A lock's must-clauses, and the fault that breaks each."""
OTHERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "VDI-MED-01": ("medication_dispenser", "medication.taken", {"dose": "Exempel 500 mg"}),
    "VDI-CAM-01": ("camera", "lens.covered", {"picture": "A" * 5000}),
}
"""The must-clauses of other kinds: the kind, a word of its, and the data that breaks the clause."""
NO_MUTANT = {
    "VDI-MQTT-04": "it is sent again for ever and keeps the configuration out: two clauses are blamed"
}


def standings(
    folder: Path, mutate: Mutation = lambda _device: None, kind: str = "lock", word: str = "lock.unlocked"
) -> dict[str, Standing]:
    pics = PICS | {"events": ["lock.locked", "lock.unlocked", "heartbeat", word]}
    told = declared(pics=pics, device={"kind": kind}, pixit={"operated": [word]})

    async def whole() -> dict[str, Standing]:
        async with rig(folder, told) as one:
            mutate(one.device)
            one.device.on()
            one.device.client.publish(Message(f"{BASE}/telemetry", reading("heartbeat", 80)))
            run = Run(one.bench, CASES, clauses_of("v1"))
            await run.execute()
            return {standing.id: standing for standing in run.standings()}

    return play(whole)


def test_the_lock_without_a_fault_passes_every_must_clause(tmp_path: Path) -> None:
    found = standings(tmp_path)
    must = {
        name: one.reason
        for name, one in found.items()
        if one.level == "must" and one.verdict is not Verdict.PASS
    }
    assert set(must) == set(OTHERS), must


@pytest.mark.parametrize("clause", MUTANTS)
def test_a_fault_is_caught_by_its_clause_and_blames_no_other(clause: str, tmp_path: Path) -> None:
    caught(clause, standings(tmp_path, MUTANTS[clause]))


@pytest.mark.parametrize("clause", OTHERS)
def test_a_fault_of_another_kind_is_caught_by_its_clause_and_the_kind_without_it_passes(
    clause: str, tmp_path: Path
) -> None:
    kind, word, data = OTHERS[clause]
    (tmp_path / "right").mkdir()
    (tmp_path / "wrong").mkdir()
    right = standings(tmp_path / "right", kind=kind, word=word)
    assert right[clause].verdict is Verdict.PASS
    caught(clause, standings(tmp_path / "wrong", field("data", data), kind, word))


def caught(clause: str, found: dict[str, Standing]) -> None:
    """The clause and no other must-clause is blamed."""
    blamed = {
        name: one.reason
        for name, one in found.items()
        if one.level == "must" and one.verdict is Verdict.FAIL and name != CLAUSE
    }
    print(f"{clause:12} {blamed.get(clause, 'not caught')}")  # noqa: T201 - the table, shown with -s
    assert set(blamed) == {clause}, blamed


def test_every_must_clause_has_a_case_and_a_mutant_or_says_why_not() -> None:
    must = {clause.id for clause in clauses_of("v1") if clause.level == "must"}
    tested = {clause for case in CASES for clause in case.clauses}
    assert tested <= {clause.id for clause in clauses_of("v1")}
    assert must <= tested
    assert must == MUTANTS.keys() | OTHERS.keys() | NO_MUTANT.keys()
