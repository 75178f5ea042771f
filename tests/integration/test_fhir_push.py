"""Transactions to a FHIR server over real sockets: valid, each resource once, refused ones put aside."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from gateway.contract import Page, TapFault
from gateway.service.tapping import TapMeans
from gateway.tap_settings import CareSettings, FhirPushSettings, TapSettings
from gateway.taps.care.as_fhir import RECORD
from gateway.taps.care.carrier import CareTap
from gateway.taps.care.fhir import FhirConnector
from gateway.taps.care.making import records_of
from gateway.taps.care.records import CareRecord, Kind
from gateway.taps.fhir import FhirPush
from simulators.standins.care import CareStandIn
from simulators.standins.faults import Faults
from simulators.standins.server import served
from tests.integration.test_care_connectors import whole_story
from tests.unit.service.rig import SetClock
from tests.unit.taps.care_kit import BOX, PENDANT, CareTown, one

T = TypeVar("T")


class NoLog:
    """A push reads no log of its own: it is handed pages."""

    def cursor(self) -> int:
        return 0

    def page(self, after: int, frames: int) -> Page:
        return Page(after=after, upto=after + frames)


@pytest.fixture(scope="module")
def system() -> Iterator[tuple[CareStandIn, str]]:
    stand_in = CareStandIn()
    with served(stand_in.app) as url:
        yield stand_in, f"{url}/fhir"


@pytest.fixture
def server(system: tuple[CareStandIn, str]) -> CareStandIn:
    stand_in, _ = system
    stand_in.faults = Faults()
    stand_in.fhir.held.clear()
    stand_in.strangers.clear()
    stand_in.fhir.created = stand_in.fhir.updated = stand_in.fhir.unchanged = 0
    return stand_in


@pytest.fixture
def town() -> CareTown:
    return CareTown()


def pushing(town: CareTown, url: str, work: Callable[[FhirPush], Coroutine[Any, Any, T]]) -> T:
    """Make a push as the gateway does, use it, and close it."""
    settings = FhirPushSettings(url=url)
    registry = town.asked.registry
    means = TapMeans(TapSettings(fhir=(settings,)), registry, town.book, NoLog(), SetClock())

    async def life() -> T:
        tap = FhirPush(settings, means)
        try:
            return await work(tap)
        finally:
            await tap.close()

    return asyncio.run(life())


def taken(town: CareTown, url: str, pages: list[Page]) -> list[Any]:
    async def all_of_them(tap: FhirPush) -> list[Any]:
        return [item for page in pages for item in await tap.take(page)]

    return pushing(town, url, all_of_them)


def kinds_of(stand_in: CareStandIn) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind, _ in stand_in.fhir.held:
        found[kind] = found.get(kind, 0) + 1
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for part in value:
            yield from references(part)
    elif isinstance(value, dict):
        if "reference" in value:
            yield value["reference"]
        for part in value.values():
            yield from references(part)


def test_an_alerts_story_is_on_the_server_as_resources_that_lead_to_one_another(
    town: CareTown, system: tuple[CareStandIn, str], server: CareStandIn
) -> None:
    handed = taken(town, system[1], whole_story(town))
    kinds = kinds_of(server)
    lines = len(town.book.entries)
    assert (kinds["DetectedIssue"], kinds["Task"], kinds["Patient"], kinds["Composition"]) == (1, 1, 1, 1)
    assert (kinds["AuditEvent"], kinds["Provenance"]) == (lines, lines)
    assert kinds["Observation"] == 1
    (task,) = [held for (kind, _), held in server.fhir.held.items() if kind == "Task"]
    assert (task["status"], task["businessStatus"]["coding"][0]["code"]) == ("completed", "closed")
    (issue,) = [held for (kind, _), held in server.fhir.held.items() if kind == "DetectedIssue"]
    assert "alarm.manual" in {one["code"] for one in issue["code"]["coding"]}  # as the facade tells it
    there = {f"{kind}/{name}" for kind, name in server.fhir.held}
    assert {name for held in server.fhir.held.values() for name in references(held)} <= there
    assert {item.item for item in handed} == {f"alert/{one}" for one in town.book.alerts}
    assert all("DetectedIssue/" in item.proof for item in handed)


def test_what_comes_twice_changes_nothing(
    town: CareTown, system: tuple[CareStandIn, str], server: CareStandIn
) -> None:
    pages = whole_story(town)
    taken(town, system[1], pages)
    held = json.dumps(list(server.fhir.held.values()))
    created, updated = server.fhir.created, server.fhir.updated
    taken(town, system[1], pages[-1:])
    assert json.dumps(list(server.fhir.held.values())) == held
    assert (server.fhir.created, server.fhir.updated) == (created, updated)
    taken(town, system[1], pages)
    assert server.fhir.created == created


def test_what_the_server_knows_better_is_not_overwritten(
    town: CareTown, system: tuple[CareStandIn, str], server: CareStandIn
) -> None:
    pages = whole_story(town)
    taken(town, system[1], pages[:1])
    (patient,) = [held for (kind, _), held in server.fhir.held.items() if kind == "Patient"]
    patient["name"] = [{"family": "Påhittad"}]
    taken(town, system[1], pages[1:])
    (now,) = [held for (kind, _), held in server.fhir.held.items() if kind == "Patient"]
    assert now["name"] == [{"family": "Påhittad"}]


def test_only_what_is_refused_waits_for_a_person_and_can_be_sent_again(
    town: CareTown, system: tuple[CareStandIn, str], server: CareStandIn
) -> None:
    calling = town.town.send(PENDANT, "alarm.manual")
    dose = town.town.send(BOX, "medication.early", dose="refused-dose")
    pages = [town.page(calling), town.page(dose)]
    together = Page(
        after=pages[0].after,
        upto=pages[1].upto,
        events=[*pages[0].events, *pages[1].events],
        entries=[*pages[0].entries, *pages[1].entries],
        alerts={**pages[0].alerts, **pages[1].alerts},
    )
    server.strangers.add("refused-dose")
    handed = taken(town, system[1], [together])
    refused = [item for item in handed if item.refused]
    assert refused
    assert all("HTTP 422 nobody here is called" in item.refused for item in refused)
    assert {item.item for item in refused} == {f"event/{dose.events[0].id}"}
    assert kinds_of(server)["DetectedIssue"] == len(together.alerts)
    server.strangers.clear()
    (mended,) = [
        pushing(town, system[1], lambda tap, item=item: tap.again(item.item, item.body)) for item in refused
    ]
    assert mended.proof.startswith("20")
    assert not mended.refused
    assert kinds_of(server)["MedicationDispense"] == 1


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_a_server_that_is_disturbed_lets_the_page_wait(
    town: CareTown, system: tuple[CareStandIn, str], server: CareStandIn, status: int
) -> None:
    server.faults = Faults(fail=status)
    with pytest.raises(TapFault, match=str(status)):
        taken(town, system[1], whole_story(town))
    assert server.fhir.held == {}


def test_a_conflict_with_another_writer_passes_and_one_that_stays_waits_for_a_person(
    town: CareTown,
    system: tuple[CareStandIn, str],
    server: CareStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.taps.transaction.CONFLICT_AGAIN_S", (0.0, 0.0))
    page = town.page(town.town.send(PENDANT, "alarm.manual"))
    server.faults = Faults(fail=409, fail_times=2)
    assert not any(item.refused for item in taken(town, system[1], [page]))
    assert kinds_of(server)["DetectedIssue"] == len(page.alerts)
    server.faults = Faults(fail=409)
    assert all(item.refused.startswith("HTTP 409") for item in taken(town, system[1], [page]))


def by_fhir(town: CareTown, url: str, work: Callable[[CareTap], Coroutine[Any, Any, T]]) -> T:
    settings = CareSettings(kind="fhir", url=url)

    async def life() -> T:
        tap = CareTap(settings, FhirConnector(settings), town.asked)
        try:
            return await work(tap)
        finally:
            await tap.close()

    return asyncio.run(life())


def test_a_care_record_is_a_task_found_by_its_key_with_the_note_beside_it(
    town: CareTown, system: tuple[CareStandIn, str], server: CareStandIn
) -> None:
    pages = whole_story(town)
    handed = [item for page in pages for item in by_fhir(town, system[1], lambda tap, p=page: tap.take(p))]
    tasks = [held for (kind, _), held in server.fhir.held.items() if kind == "Task"]
    assert {task["identifier"][0]["value"] for task in tasks} == {item.item for item in handed}
    assert {task["identifier"][0]["system"] for task in tasks} == {RECORD}
    (visit,) = [task for task in tasks if task["code"]["coding"][0]["code"] == "visit.requested"]
    assert (visit["status"], visit["owner"]["identifier"]["value"]) == ("completed", "anna")
    (note,) = [held for (kind, _), held in server.fhir.held.items() if kind == "Composition"]
    assert "Togs av anna" in note["section"][0]["text"]["div"]
    assert note["author"][0]["identifier"]["value"] == "anna"
    assert all("Task/" in item.proof for item in handed)


def test_opening_that_comes_late_does_not_reopen_what_is_closed(
    town: CareTown, system: tuple[CareStandIn, str], server: CareStandIn
) -> None:
    pages = whole_story(town)
    records = [record for page in pages for record in records_of(page, town.asked)]

    async def closed_first(tap: CareTap) -> None:
        for record in (one(records, Kind.CLOSED), one(records, Kind.OPENED)):
            await tap.connector.put(record)

    by_fhir(town, system[1], closed_first)
    (issue,) = [held for (kind, _), held in server.fhir.held.items() if kind == "DetectedIssue"]
    assert issue["status"] == "final"


def test_an_operation_outcome_is_the_reason_of_a_dead_letter(
    town: CareTown, system: tuple[CareStandIn, str], server: CareStandIn
) -> None:
    server.strangers.add("p1")
    records = town.send(PENDANT, "alarm.manual")

    async def refused(tap: CareTap) -> Any:
        return await tap.connector.put(records[0])

    handed = by_fhir(town, system[1], refused)
    assert handed.refused == "HTTP 422 nobody here is called p1"
    server.strangers.clear()
    mended = by_fhir(town, system[1], lambda tap: tap.again(handed.item, handed.body))
    assert mended.proof.startswith("v1 201 Task/")


@pytest.mark.usefixtures("server")
def test_its_own_list_is_read_page_by_page(
    town: CareTown, system: tuple[CareStandIn, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulators.standins.fhir_store.MAX_FOUND", 2)
    for page in whole_story(town):
        by_fhir(town, system[1], lambda tap, p=page: tap.take(p))
    held = by_fhir(town, system[1], lambda tap: tap.connector.held())
    assert held is not None
    wanted: dict[str, CareRecord] = {}
    for page in whole_story_again(town):
        wanted |= {record.key: record for record in records_of(page, town.asked)}
    assert {key: told.version for key, told in held.items()} == {
        key: record.version for key, record in wanted.items()
    }


def whole_story_again(town: CareTown) -> list[Page]:
    """Return one page of all that the book has."""
    entries = town.book.entries
    return [Page(after=0, upto=entries[-1].frame, entries=entries, alerts=town.book.alerts)]
