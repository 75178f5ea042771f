"""A run of made-up cases: what their verdicts become, and that no case can end the run or undo a failure."""

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from virtual_bench import START, Device, declared, play, rig

from gateway.conformance.bench import Bench
from gateway.conformance.case import Case, Drive
from gateway.conformance.exclusions import Exclusion
from gateway.conformance.pics import CLAUSE
from gateway.conformance.ports import Answer, CannotDriveError, Said
from gateway.conformance.report import Report, report_of
from gateway.conformance.run import Run
from gateway.conformance.verdict import Finding, Ledger, Verdict, failed, overall, passed, together


class Rule(NamedTuple):
    id: str
    level: Literal["must", "should"] = "must"
    en: str = "It is so."
    sv: str = "Det är så."
    profile: tuple[str, ...] = ()


def case(clause: str, run: Any, drive: Drive = Drive.PROBE, **more: Any) -> Case:
    given: dict[str, Any] = {"id": f"TC-{clause}", "en": "Looks", "sv": "Ser"} | more
    return Case(clauses=(clause,), drive=drive, run=run, **given)


def giving(found: Finding) -> Any:
    async def run(_bench: Bench) -> Finding:
        return found

    return run


def conducted(
    folder: Path,
    cases: Sequence[Case],
    clauses: Sequence[Rule],
    *,
    exclusions: Sequence[Exclusion] = (),
    switched_on: bool = True,
    prompter: Any = None,
    **changes: Any,
) -> tuple[Run, Report]:
    async def whole() -> tuple[Run, Report]:
        async with rig(folder, declared(**changes)) as one:
            if switched_on:
                one.device.on()
            bench = one.bench
            if prompter is not None:
                bench = Bench(
                    bench.declaration, one.record, one.probe, one.served, bench.clock, None, prompter
                )
            run = Run(bench, cases, clauses, exclusions)
            await run.execute()
            return run, report_of(run, START, "the kit's own listener")

    return play(whole)


def stands(report: Report, clause: str) -> tuple[Verdict, str]:
    found = next(one for one in report.clauses if one.id == clause)
    return found.verdict, found.reason


def test_a_device_as_declared_passes_when_every_must_clause_was_tested(tmp_path: Path) -> None:
    async def unlocks(bench: Bench) -> Finding:
        mark = bench.mark()
        await bench.trigger("lock.unlocked")
        event = await bench.wait(10, mark, word="lock.unlocked")
        return passed("it says so", event.number) if event else failed("it says nothing")

    _, report = conducted(tmp_path, [case("A", unlocks, Drive.OPERATE)], [Rule("A")])
    assert report.verdict is Verdict.PASS
    assert stands(report, CLAUSE)[0] is Verdict.PASS
    evidence = next(one for one in report.cases if one.id == "TC-A").findings[0].evidence
    line = next(line for line in report.packets if line.number == evidence[0])
    assert b"vaka.lock.unlocked.v1" in bytes.fromhex(line.raw)
    assert line.size == len(line.raw) // 2


def test_there_is_no_overall_pass_while_a_must_clause_is_untested(tmp_path: Path) -> None:
    _, report = conducted(tmp_path, [case("A", giving(passed("good")))], [Rule("A"), Rule("B")])
    assert report.verdict is Verdict.INCONCLUSIVE
    assert stands(report, "B") == (Verdict.NOT_EXECUTED, "no case tests it")


def test_an_untested_should_clause_and_a_clause_for_other_kinds_hinder_no_pass(tmp_path: Path) -> None:
    clauses = [Rule("A"), Rule("S", "should"), Rule("M", profile=("medication_dispenser",))]
    _, report = conducted(tmp_path, [case("A", giving(passed("good")))], clauses)
    assert report.verdict is Verdict.PASS
    assert stands(report, "M") == (Verdict.NOT_APPLICABLE, "the device is a lock")


def test_a_failure_is_not_overwritten_by_a_later_pass(tmp_path: Path) -> None:
    cases = [
        case("A", giving(passed("before")), id="TC-1"),
        case("A", giving(failed("broken")), id="TC-2"),
        case("A", giving(passed("after")), id="TC-3"),
    ]
    _, report = conducted(tmp_path, cases, [Rule("A")])
    assert stands(report, "A") == (Verdict.FAIL, "broken")
    assert report.verdict is Verdict.FAIL


def test_a_case_that_breaks_or_never_ends_blames_nobody_and_the_run_goes_on(tmp_path: Path) -> None:
    async def breaks(_bench: Bench) -> Finding:
        raise ValueError("a fault of the kit")

    async def never(_bench: Bench) -> Finding:
        await asyncio.Event().wait()
        raise AssertionError

    cases = [case("A", breaks), case("B", never, within_s=60), case("C", giving(passed("good")))]
    _, report = conducted(tmp_path, cases, [Rule("A"), Rule("B"), Rule("C")])
    assert stands(report, "A")[0] is Verdict.INCONCLUSIVE
    assert "a fault of the kit" in stands(report, "A")[1]
    assert stands(report, "B") == (Verdict.INCONCLUSIVE, "not finished within 60 s")
    assert stands(report, "C")[0] is Verdict.PASS


def test_faults_end_with_the_case_that_made_them(tmp_path: Path) -> None:
    async def spoils(bench: Bench) -> Finding:
        bench.swallow("PUBACK")
        bench.faults.refuse(refusing=True)
        bench.cut()
        return passed("done")

    async def looks(bench: Bench) -> Finding:
        mark = bench.mark()
        await bench.trigger("lock.unlocked")
        return passed("heard") if await bench.wait(10, mark, kind="PUBACK") else failed("still spoilt")

    _, report = conducted(tmp_path, [case("A", spoils), case("B", looks)], [Rule("A"), Rule("B")])
    assert report.verdict is Verdict.PASS


def test_what_nobody_can_do_to_the_device_is_not_executed(tmp_path: Path) -> None:
    async def resets(bench: Bench) -> Finding:
        await bench.reset()
        return passed("never reached")

    _, report = conducted(tmp_path, [case("A", resets, Drive.OPERATE)], [Rule("A")])
    verdict, reason = stands(report, "A")
    assert verdict is Verdict.NOT_EXECUTED
    assert "Cut the device's power" in reason
    assert report.verdict is Verdict.INCONCLUSIVE


class Person:
    """Does what is asked, in both senses of a test: after a while, or not at all."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Said] = []

    async def ask(self, what: Said, within_s: float) -> Answer:
        assert within_s > 0
        await asyncio.sleep(20)
        self.asked.append(what)
        return self.answer


@pytest.mark.parametrize(
    ("answer", "verdict"), [(Answer.DONE, Verdict.PASS), (Answer.LATE, Verdict.NOT_EXECUTED)]
)
def test_a_person_is_asked_in_both_languages_where_there_is_no_test_hook(
    tmp_path: Path, answer: Answer, verdict: Verdict
) -> None:
    async def low(bench: Bench) -> Finding:
        await bench.battery(4)
        return passed("asked")

    person = Person(answer)
    _, report = conducted(tmp_path, [case("A", low, Drive.OPERATE)], [Rule("A")], prompter=person)
    assert stands(report, "A")[0] is verdict
    assert "4 percent" in person.asked[0].en
    assert "4 procent" in person.asked[0].sv


def test_cases_for_what_is_not_declared_do_not_apply(tmp_path: Path) -> None:
    needy = case("A", giving(failed("must not run")), needs=frozenset({"telemetry"}))
    _, report = conducted(tmp_path, [needy], [Rule("A")])
    assert next(one for one in report.cases if one.id == "TC-A").findings[0].verdict is Verdict.NOT_APPLICABLE


def test_an_excluded_case_is_named_with_its_challenge_and_its_clause_is_untested(tmp_path: Path) -> None:
    out = Exclusion(case="TC-A", challenge="challenge 7", reason="reads it wrongly", since=date(2026, 12, 1))
    _, report = conducted(tmp_path, [case("A", giving(failed("wrong")))], [Rule("A")], exclusions=[out])
    assert stands(report, "A")[0] is Verdict.NOT_EXECUTED
    assert report.exclusions[0].challenge == "challenge 7"
    assert report.verdict is Verdict.INCONCLUSIVE


def test_cases_that_watch_see_what_all_others_made_happen(tmp_path: Path) -> None:
    async def watches(bench: Bench) -> Finding:
        return passed("seen") if bench.seen(word="lock.unlocked") else failed("nothing was seen")

    async def operates(bench: Bench) -> Finding:
        await bench.trigger("lock.unlocked")
        await bench.sleep(1)
        return passed("done")

    run, report = conducted(
        tmp_path, [case("A", watches, Drive.WATCH), case("B", operates)], [Rule("A"), Rule("B")]
    )
    assert [tried.case.id for tried in run.tried] == ["TC-PICS-01", "TC-B", "TC-A", "TC-PICS-02"]
    assert report.verdict is Verdict.PASS


def test_a_device_that_never_comes_gets_no_verdict_and_costs_no_patience_a_case(tmp_path: Path) -> None:
    cases = [case(str(number), giving(failed("must not run"))) for number in range(20)]
    _, report = conducted(
        tmp_path, cases, [Rule(str(number)) for number in range(20)], switched_on=False, pixit={"boot_s": 60}
    )
    assert report.verdict is Verdict.INCONCLUSIVE
    assert {stands(report, str(number))[0] for number in range(20)} == {Verdict.NOT_EXECUTED}
    assert (report.ended_at - report.began_at).total_seconds() < 200


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pics": {"mqtt": ["3.1.1"]}}, "MQTT 5"),
        ({"device": {"firmware": "2.0.0"}}, "'1.0.0'"),
        ({"pics": {"tls": True}}, "without TLS"),
    ],
)
def test_a_device_that_is_not_as_declared_fails_the_first_case(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    _, report = conducted(tmp_path, [case("A", giving(passed("good")))], [Rule("A")], **changes)
    verdict, reason = stands(report, CLAUSE)
    assert verdict is Verdict.FAIL
    assert said in reason
    assert report.verdict is Verdict.FAIL


def test_a_word_that_is_not_declared_fails_the_last_case(tmp_path: Path) -> None:
    async def operates(bench: Bench) -> Finding:
        await bench.trigger("lock.jammed")
        await bench.sleep(1)
        return passed("done")

    _, report = conducted(tmp_path, [case("A", operates)], [Rule("A")])
    assert stands(report, CLAUSE) == (Verdict.FAIL, "it says what is not declared: lock.jammed")


def test_verdicts_together_are_the_worst_of_them() -> None:
    every = list(Verdict)
    for one in every:
        assert together([one, Verdict.FAIL, Verdict.PASS]) is Verdict.FAIL
    assert together([]) is Verdict.NOT_EXECUTED
    assert together([Verdict.PASS, Verdict.NOT_APPLICABLE]) is Verdict.PASS
    assert together([Verdict.PASS, Verdict.NOT_EXECUTED]) is Verdict.NOT_EXECUTED


def test_a_run_in_which_nothing_was_tested_is_no_pass() -> None:
    assert overall([]) is Verdict.INCONCLUSIVE
    assert overall([("must", Verdict.NOT_APPLICABLE)]) is Verdict.INCONCLUSIVE
    assert overall([("must", Verdict.PASS), ("should", Verdict.FAIL)]) is Verdict.PASS


def test_a_finding_may_be_about_some_of_the_clauses_of_its_case() -> None:
    ledger = Ledger()
    ledger.add(("A", "B"), Finding(Verdict.FAIL, "that one", clauses=("B",)))
    ledger.add(("A", "B"), passed("both"))
    assert ledger.verdict("A") is Verdict.PASS
    assert ledger.verdict("B") is Verdict.FAIL


async def refuse(_action: str, _values: Any) -> None:
    raise CannotDriveError("the hook refuses")


def test_a_hook_that_refuses_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def triggers(bench: Bench) -> Finding:
        await bench.trigger("lock.unlocked")
        return passed("never reached")

    monkeypatch.setattr(Device, "do", lambda _self, action, values: refuse(action, values))
    _, report = conducted(tmp_path, [case("A", triggers, Drive.OPERATE)], [Rule("A")])
    assert stands(report, "A") == (Verdict.NOT_EXECUTED, "the hook refuses")
