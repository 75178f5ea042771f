"""Each connector against a care system over real sockets and folders: once, in order, through disturbance."""

import asyncio
import csv
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import pytest

from gateway.contract import Page, TapFault
from gateway.tap_settings import CareSettings
from gateway.taps import care
from gateway.taps.care.carrier import CareTap
from gateway.taps.care.records import CareRecord, Kind
from simulators.standins.care import CareStandIn
from simulators.standins.faults import Faults
from simulators.standins.server import served
from tests.integration.mosquitto import free_port, wait_for
from tests.unit.taps.care_kit import PENDANT, CareTown, one

T = TypeVar("T")
TOKEN = "of-a-stand-in"


@pytest.fixture(scope="module")
def system() -> Iterator[tuple[CareStandIn, str]]:
    stand_in = CareStandIn(token=TOKEN)
    with served(stand_in.app) as url:
        yield stand_in, url


@pytest.fixture
def mock(system: tuple[CareStandIn, str]) -> CareStandIn:
    stand_in, _ = system
    stand_in.faults = Faults()
    stand_in.records.clear()
    stand_in.strangers.clear()
    stand_in.repeats = stand_in.older = 0
    return stand_in


@pytest.fixture
def town() -> CareTown:
    return CareTown()


Using = Callable[[Callable[[CareTap], Coroutine[Any, Any, T]]], T]


@pytest.fixture
def by_http(system: tuple[CareStandIn, str], town: CareTown) -> Using[Any]:
    return lambda work: carry(town, CareSettings(kind="http", url=system[1], token=TOKEN), work)


def carry(town: CareTown, settings: CareSettings, work: Callable[[CareTap], Coroutine[Any, Any, T]]) -> T:
    """Make a tap as the gateway does, use it, and close it."""

    async def life() -> T:
        tap = CareTap(settings, care.CONNECTORS[settings.kind](settings), town.asked)
        try:
            return await work(tap)
        finally:
            await tap.close()

    return asyncio.run(life())


def whole_story(town: CareTown) -> list[Page]:
    """Return the pages of an alert from the press of the button until it is closed."""
    pages = [town.page(town.town.send(PENDANT, "alarm.manual"))]
    alert = pages[0].entries[0].alert
    for action, more in (("accept", {"eta_s": 60}), ("on_site", {}), ("close", {"outcome": "real"})):
        pages.append(town.page(town.town.answer(alert, action, **more)))
    return pages


def test_a_story_is_held_whole_with_a_proof_for_each_record(
    town: CareTown, by_http: Using[Any], mock: CareStandIn
) -> None:
    pages = whole_story(town)
    handed = [item for page in pages for item in by_http(lambda tap, page=page: tap.take(page))]
    assert {item.item for item in handed} == set(mock.records)
    assert all(item.proof and not item.refused for item in handed)
    assert sorted(record["kind"] for record in mock.records.values()) == [
        "alert.closed",
        "alert.handled",
        "alert.handled",
        "alert.opened",
        "visit.requested",
    ]
    (visit,) = [record for record in mock.records.values() if record["kind"] == "visit.requested"]
    assert visit["visit"]["state"] == "done"
    assert mock.manual == []


def test_what_comes_again_changes_nothing_and_is_proved_again(
    town: CareTown, by_http: Using[Any], mock: CareStandIn
) -> None:
    pages = whole_story(town)

    async def twice(tap: CareTap) -> list[Any]:
        return [await tap.take(page) for page in (*pages, *pages)]

    by_http(twice)
    held = dict(mock.records)
    by_http(twice)
    assert mock.records == held
    assert mock.repeats > len(held)


def test_an_older_version_never_replaces_a_later_one(
    town: CareTown, by_http: Using[Any], mock: CareStandIn
) -> None:
    first = one(town.send(PENDANT, "alarm.manual"), Kind.VISIT)
    then = one(town.answer(first.alert, "accept", eta_s=60), Kind.VISIT)

    async def wrong_way_round(tap: CareTap) -> list[Any]:
        return [await tap.connector.put(record) for record in (then, first)]

    later, older = by_http(wrong_way_round)
    assert mock.records[first.key]["version"] == then.version
    assert later.proof.startswith(f"v{then.version} 201")
    assert older.proof.startswith(f"v{first.version} 409")


def test_a_person_whom_the_care_system_does_not_know_is_a_dead_letter_until_that_is_mended(
    town: CareTown, by_http: Using[Any], mock: CareStandIn
) -> None:
    mock.strangers.add("p1")
    (page, *_) = whole_story(town)

    async def refused_then_mended(tap: CareTap) -> tuple[Any, Any]:
        handed = await tap.take(page)
        mock.strangers.clear()
        return handed, [await tap.again(item.item, item.body) for item in handed]

    refused, mended = by_http(refused_then_mended)
    assert all(item.refused.startswith("HTTP 422") and item.body for item in refused)
    assert all(item.proof and not item.refused for item in mended)
    assert set(mock.records) == {item.item for item in refused}


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503, 302])
def test_an_answer_that_does_not_blame_the_record_lets_it_wait(
    town: CareTown, by_http: Using[Any], mock: CareStandIn, status: int
) -> None:
    mock.faults = Faults(fail=status)
    (page, *_) = whole_story(town)
    with pytest.raises(TapFault, match=str(status)):
        by_http(lambda tap: tap.take(page))
    assert mock.records == {}


def test_a_system_that_is_not_there_lets_records_wait(town: CareTown) -> None:
    (page, *_) = whole_story(town)
    nobody = CareSettings(kind="http", url="http://127.0.0.1:9")
    with pytest.raises(TapFault, match="no connection"):
        carry(town, nobody, lambda tap: tap.take(page))


def test_a_page_that_was_cut_goes_on_where_it_was(
    town: CareTown, by_http: Using[Any], mock: CareStandIn
) -> None:
    (page, *_) = whole_story(town)

    async def cut(tap: CareTap) -> tuple[int, int]:
        asked = mock.requests
        await tap.take(msgspec.structs.replace(page, entries=page.entries))
        whole = mock.requests - asked
        mock.records.clear()
        put, tap.connector.put = tap.connector.put, _only_once(tap.connector.put)  # type: ignore[method-assign]
        with pytest.raises(TapFault):
            await tap.take(page)
        tap.connector.put = put  # type: ignore[method-assign]
        asked = mock.requests
        await tap.take(page)
        return whole, mock.requests - asked

    whole, rest = by_http(cut)
    assert rest == whole - 1
    assert len(mock.records) == whole


def _only_once(put: Callable[[CareRecord], Coroutine[Any, Any, Any]]) -> Any:
    left = [1]

    async def putting(record: CareRecord) -> Any:
        if not left:
            raise TapFault("cut")
        left.pop()
        return await put(record)

    return putting


def test_the_receivers_own_list_tells_what_it_holds(
    town: CareTown, by_http: Using[Any], mock: CareStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.taps.care.http.PAGE", 2)
    for page in whole_story(town):
        by_http(lambda tap, page=page: tap.take(page))
    held = by_http(lambda tap: tap.connector.held())
    assert {key: one.version for key, one in held.items()} == {
        key: record["version"] for key, record in mock.records.items()
    }
    mock.faults = Faults(fail=405)
    assert by_http(lambda tap: tap.connector.held()) is None


def test_the_stand_in_holds_after_a_restart_what_it_proved(town: CareTown, tmp_path: Path) -> None:
    stand_in = CareStandIn(tmp_path)
    with served(stand_in.app) as url:
        settings = CareSettings(kind="http", url=url)
        for page in whole_story(town):
            carry(town, settings, lambda tap, page=page: tap.take(page))
        assert httpx.post(f"{url}/manual", data={"text": "för hand"}).status_code == 303
        assert "1 skrivna för hand" in httpx.get(url).text
    stand_in.close()
    with (tmp_path / "care.jsonl").open("ab") as file:
        file.write(b'{"record": {"cut')
    again = CareStandIn(tmp_path)
    assert again.records == stand_in.records
    assert len(again.manual) == 1
    again.close()


def by_file(town: CareTown, folder: Path, *pages: Page, form: str = "json") -> list[Any]:
    settings = CareSettings(kind="file", folder=str(folder), format=form)  # type: ignore[arg-type] # one of both

    async def all_of_them(tap: CareTap) -> list[Any]:
        return [item for page in pages for item in await tap.take(page)]

    return carry(town, settings, all_of_them)


def test_a_folder_gets_one_whole_file_a_record(town: CareTown, tmp_path: Path) -> None:
    handed = by_file(town, tmp_path, *whole_story(town))
    files = {path.name: msgspec.json.decode(path.read_bytes()) for path in tmp_path.glob("*.json")}
    assert set(files) == {f"{item.item}.json" for item in handed}
    assert {record["kind"] for record in files.values()} == {
        "alert.opened",
        "alert.handled",
        "alert.closed",
        "visit.requested",
    }
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_a_file_that_was_taken_away_is_not_put_there_again(town: CareTown, tmp_path: Path) -> None:
    pages = whole_story(town)
    by_file(town, tmp_path, *pages)
    for path in tmp_path.glob("*.json"):
        path.unlink()
    handed = by_file(town, tmp_path, *pages)
    assert list(tmp_path.glob("*.json")) == []
    assert all(" there " in item.proof for item in handed)


def test_an_older_version_is_never_written_over_a_later_file(town: CareTown, tmp_path: Path) -> None:
    first, *later = whole_story(town)
    early = msgspec.structs.replace(first, alerts=dict(first.alerts))
    by_file(town, tmp_path, *later)
    (visit,) = tmp_path.glob("visit-*.json")
    before = visit.read_bytes()
    by_file(town, tmp_path, early)
    assert visit.read_bytes() == before


def test_a_kill_between_file_and_ledger_only_writes_the_same_file_again(
    town: CareTown, tmp_path: Path
) -> None:
    pages = whole_story(town)
    by_file(town, tmp_path, *pages)
    ledger = tmp_path / ".vaka" / "given.tsv"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:-1]) + lines[-1][:9])  # cut in the middle of its last line
    names = {path.name: path.read_bytes() for path in tmp_path.glob("*.json")}
    by_file(town, tmp_path, *pages)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.json")} == names


def test_a_folder_that_is_not_there_lets_records_wait(town: CareTown, tmp_path: Path) -> None:
    with pytest.raises(TapFault, match="the folder takes nothing"):
        by_file(town, tmp_path / "not mounted", *whole_story(town))


def test_csv_has_a_heading_a_row_and_no_formula(town: CareTown, tmp_path: Path) -> None:
    alert = one(town.send(PENDANT, "alarm.manual"), Kind.OPENED).alert or ""
    page = town.page(town.town.answer(alert, "close", outcome="real", note="=HYPERLINK(1)"))
    by_file(town, tmp_path, page, form="csv")
    (path,) = tmp_path.glob("*-closed.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file, delimiter=";")
    assert (row["kind"], row["outcome"], row["person"]) == ("alert.closed", "real", "p1")
    assert row["note"] == "'=HYPERLINK(1)"
    assert "Larmet kom" in row["course"]


def test_receipts_of_the_reading_system_are_read_back(town: CareTown, tmp_path: Path) -> None:
    pages = whole_story(town)
    handed = by_file(town, tmp_path, *pages)
    name = handed[0].item
    (tmp_path / f"{name}.json.error").write_text("okänd person\n", encoding="utf-8")
    settings = CareSettings(kind="file", folder=str(tmp_path))
    held = carry(town, settings, lambda tap: tap.connector.held())
    assert held is not None
    assert held[name].refused == "okänd person"
    assert {key for key, told in held.items() if not told.refused} == {item.item for item in handed} - {name}


def test_two_municipalities_differ_in_their_settings_and_in_nothing_else(
    town: CareTown, tmp_path: Path
) -> None:
    theirs, others = tmp_path / "theirs", tmp_path / "others"
    for folder, tenant in ((theirs, "t"), (others, "another")):
        folder.mkdir()
        settings = CareSettings(name=tenant, kind="file", folder=str(folder), tenants=(tenant,))
        for page in whole_story(town):
            carry(town, settings, lambda tap, page=page: tap.take(page))
    assert len(list(theirs.glob("*.json"))) == 5
    assert list(others.glob("*.json")) == []


def test_the_care_system_runs_as_a_program_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "simulators", "care-system", "--port", str(port), "--dir", str(tmp_path)]
    program = subprocess.Popen(command, stdout=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(url), within_s=60)
        record = {"form": "vaka.care-record.v1", "key": "a", "version": 1, "kind": "alert.opened"}
        record |= {"at": "2026-11-22T12:00:00Z", "tenant": "t", "home": "h", "text": "Prov"}
        assert httpx.put(f"{url}/records/a", json=record).status_code == 201
        assert httpx.put(f"{url}/records/b", json=record).status_code == 422
        assert httpx.get(f"{url}/records").json()["records"] == [{"key": "a", "version": 1, "etag": '"1"'}]
    finally:
        program.terminate()
        said, _ = program.communicate(timeout=30)
    assert program.returncode == 0
    assert b"alert.opened a version 1: Prov" in said
    assert b'"key": "a"' in (tmp_path / "care.jsonl").read_bytes()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/manual").status_code == 200
    except httpx.HTTPError:
        return False
