"""Care records made of what really happens in a town: what each tells, and that it tells it once."""

import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import msgspec
import pytest

from gateway.taps.care.making import records_of
from gateway.taps.care.records import CareRecord, Kind, decode, encode, schema
from tests.unit.pipeline.town import START
from tests.unit.taps.care_kit import BOX, PENDANT, CareTown, one

AT_NOON = 3600


@pytest.fixture
def town() -> CareTown:
    return CareTown()


PUBLISHED = Path(__file__).parents[3] / "docs" / "care-record.schema.json"


def test_the_published_schema_is_that_of_the_records() -> None:
    made = json.loads(json.dumps(schema()))
    assert json.loads(PUBLISHED.read_text("utf-8")) == made, "write it anew"


def kinds(records: list[CareRecord]) -> list[str]:
    return [record.kind.value for record in records]


def test_a_call_for_help_opens_a_record_and_asks_for_a_visit(town: CareTown) -> None:
    records = town.send(PENDANT, "alarm.manual")
    opened, visit = one(records, Kind.OPENED), one(records, Kind.VISIT)
    assert (opened.person, opened.home, opened.device, opened.device_kind) == (
        "p1",
        "h1",
        PENDANT,
        "social_alarm",
    )
    assert (opened.severity, opened.priority, opened.version) == ("high", "PH", 1)
    assert opened.text == town.asked.words.alert(town.book.alerts[opened.alert or ""])
    assert opened.text != "sos"
    assert opened.codes is not None
    assert opened.codes.word == "alarm.manual"
    assert opened.codes.scaip
    assert opened.codes.vkp
    assert visit.visit is not None
    assert (visit.visit.state, visit.visit.requested_at) == ("requested", START)


def test_each_thing_that_a_person_does_is_a_record_with_who_and_when(town: CareTown) -> None:
    alert = one(town.send(PENDANT, "alarm.manual"), Kind.OPENED).alert
    town.town.now += timedelta(seconds=30)
    accepted = one(town.answer(alert, "accept", actor="anna", eta_s=600), Kind.HANDLED)
    assert accepted.handled is not None
    assert (accepted.handled.action, accepted.handled.actor, accepted.handled.by) == (
        "accepted",
        "anna",
        "person",
    )
    assert accepted.handled.text == "Togs av"
    assert accepted.at == START + timedelta(seconds=30)
    handed = one(town.answer(alert, "hand_over", actor="anna", to="centre", note="fler behövs"), Kind.HANDLED)
    assert handed.handled is not None
    assert (handed.handled.action, handed.handled.detail) == ("handed_over", "to centre: fler behövs")
    assert accepted.key != handed.key


def test_the_visit_is_one_record_that_follows_who_comes_and_how_it_went(town: CareTown) -> None:
    first = one(town.send(PENDANT, "alarm.manual"), Kind.VISIT)
    coming = one(town.answer(first.alert, "accept", eta_s=600), Kind.VISIT)
    there = one(town.answer(first.alert, "on_site"), Kind.VISIT)
    done = one(town.answer(first.alert, "close", outcome="real"), Kind.VISIT)
    visits = [first, coming, there, done]
    assert {visit.key for visit in visits} == {first.key}
    assert [visit.visit and visit.visit.state for visit in visits] == [
        "requested",
        "on_the_way",
        "arrived",
        "done",
    ]
    assert [visit.version for visit in visits] == sorted({visit.version for visit in visits})
    assert coming.visit is not None
    assert (coming.visit.by, coming.visit.eta) == ("anna", START + timedelta(seconds=600))
    assert done.visit is not None
    assert done.visit.ended_at == START


def test_an_alert_that_nobody_had_to_come_for_has_its_visit_cancelled(town: CareTown) -> None:
    alert = one(town.send(PENDANT, "alarm.manual"), Kind.OPENED).alert
    visit = one(town.answer(alert, "close", outcome="false", note="nuddade knappen"), Kind.VISIT)
    assert visit.visit is not None
    assert visit.visit.state == "cancelled"


def test_the_closing_record_holds_outcome_note_and_the_whole_course(town: CareTown) -> None:
    alert = one(town.send(PENDANT, "alarm.manual"), Kind.OPENED).alert
    town.later(minutes=2)
    town.answer(alert, "accept", eta_s=300)
    town.answer(alert, "on_site")
    closed = one(town.answer(alert, "close", outcome="real", note="hjälpt upp: mår bra"), Kind.CLOSED)
    assert (closed.outcome, closed.outcome_text) == ("real", "Riktigt larm")
    assert closed.note == "hjälpt upp: mår bra"
    assert closed.course is not None
    assert [(step.version, step.at, step.action) for step in closed.course.steps] == [
        (line.version, line.at, line.action) for line in town.book.history(alert or "")
    ]
    assert closed.course.left_out == 0
    assert {sent.to for sent in closed.course.delivered} >= {"day"}
    assert {step.by for step in closed.course.steps} == {"person", "rule", "system"}


def test_a_very_long_course_is_told_by_its_beginning_and_its_end(town: CareTown) -> None:
    alert = one(town.send(PENDANT, "alarm.manual"), Kind.OPENED).alert or ""
    while len(town.book.history(alert)) < 620:
        town.later(minutes=30)
    closed = one(town.answer(alert, "close", outcome="test"), Kind.CLOSED)
    assert closed.course is not None
    told = [step.version for step in closed.course.steps]
    assert (told[0], told[-1], len(told)) == (1, closed.version, 500)
    assert closed.course.left_out == closed.version - 500


def test_a_dose_that_the_device_says_was_missed_is_a_deviation_once(town: CareTown) -> None:
    records = town.send(BOX, "medication.missed", dose="noon")
    dose = one(records, Kind.DOSE)
    assert dose.dose is not None
    assert (dose.dose.deviation, dose.dose.dose, dose.person) == ("missed", "noon", "p1")
    assert dose.text == "Medicindosen är inte tagen"
    assert dose.codes is not None
    assert dose.codes.word == "medication.missed"
    assert kinds(records).count("dose.deviation") == 1


def test_a_dose_that_was_not_taken_is_a_deviation_though_the_device_is_silent(town: CareTown) -> None:
    by_the_watch = one(town.later(seconds=2.6 * AT_NOON), Kind.DOSE)
    assert by_the_watch.dose is not None
    assert (by_the_watch.dose.deviation, by_the_watch.dose.dose) == ("missed", "noon")
    said_later = one(town.send(BOX, "medication.missed", dose="noon"), Kind.DOSE)
    assert (said_later.key, said_later.version) == (by_the_watch.key, by_the_watch.version)


@pytest.mark.parametrize("word", ["medication.retracted", "medication.early", "medication.overdose_attempt"])
def test_every_other_deviation_has_a_record_and_a_sentence(town: CareTown, word: str) -> None:
    dose = one(town.send(BOX, word, dose="noon"), Kind.DOSE)
    assert dose.dose is not None
    assert word.endswith(dose.dose.deviation)
    assert " " in dose.text


def test_what_is_as_planned_has_no_record(town: CareTown) -> None:
    assert town.send(BOX, "medication.taken", dose="noon") == []
    assert town.send(PENDANT, "heartbeat") == []


def test_a_page_that_comes_again_gives_the_same_records(town: CareTown) -> None:
    page = town.page(town.town.send(PENDANT, "alarm.manual"))
    assert records_of(page, town.asked) == records_of(page, town.asked)


def test_a_page_read_late_tells_of_the_visit_as_it_stands_and_of_all_else_as_it_was(town: CareTown) -> None:
    page = town.page(town.town.send(PENDANT, "alarm.manual"))
    alert = page.entries[0].alert
    town.answer(alert, "accept", eta_s=60)
    late = msgspec.structs.replace(page, alerts={alert: town.book.alerts[alert]})
    records = records_of(late, town.asked)
    assert one(records, Kind.OPENED).version == 1
    visit = one(records, Kind.VISIT)
    assert visit.visit is not None
    assert (visit.visit.state, visit.version) == ("on_the_way", town.book.alerts[alert].version)


def test_every_record_fits_the_published_schema_and_reads_as_it_was_written(town: CareTown) -> None:
    records = town.send(PENDANT, "alarm.manual") + town.send(BOX, "medication.early", dose="noon")
    alert = records[0].alert
    records += town.answer(alert, "accept", eta_s=60)
    records += town.answer(alert, "close", outcome="real")
    assert {record.kind for record in records} == set(Kind)
    for record in records:
        jsonschema.validate(msgspec.json.decode(encode(record)), schema())
        assert decode(encode(record)) == record
