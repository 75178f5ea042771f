"""Reconciling over cursors on disk: what is proved, refused, missing, lost, and what still has to be sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.contract import Handed, Page
from gateway.stores.taps import SqliteCursors
from gateway.tap_settings import CareSettings
from gateway.taps.care.carrier import Held
from gateway.taps.care.making import owed
from gateway.taps.care.reconciling import Account, account_of, known_of
from tests.unit.taps.care_kit import PENDANT, CareTown

SETTINGS = CareSettings(kind="http", url="http://127.0.0.1:9")


class Written:
    """A log of a few pages, read a frame at a time."""

    def __init__(self, pages: list[Page]) -> None:
        self.pages = {page.upto: page for page in pages}

    def cursor(self) -> int:
        return max(self.pages)

    def page(self, after: int, frames: int) -> Page:
        upto = min(self.cursor(), after + 1)
        return self.pages.get(upto, Page(after=after, upto=upto)) if frames else Page(after=after, upto=after)


@pytest.fixture
def cursors(tmp_path: Path) -> Iterator[SqliteCursors]:
    found = SqliteCursors(tmp_path / "taps.db")
    yield found
    found.close()


@pytest.fixture
def town() -> CareTown:
    return CareTown()


@pytest.fixture
def log(town: CareTown) -> Written:
    pages = [town.page(town.town.send(PENDANT, "alarm.manual"))]
    alert = pages[0].entries[0].alert
    pages += [town.page(town.town.answer(alert, action, **more)) for action, more in STORY]
    return Written(pages)


STORY: tuple[tuple[str, dict[str, object]], ...] = (("accept", {"eta_s": 60}), ("close", {"outcome": "real"}))


def account(
    town: CareTown, log: Written, cursors: SqliteCursors, held: dict[str, Held] | None = None
) -> Account:
    return account_of(SETTINGS, known_of(SETTINGS, log, cursors, town.asked), held)


def through(log: Written, town: CareTown) -> dict[str, int]:
    found: dict[str, int] = {}
    for page in log.pages.values():
        for key, version in owed(page, town.asked).items():
            found[key] = max(version, found.get(key, 0))
    return found


def prove(cursors: SqliteCursors, log: Written, proofs: dict[str, int], upto: int | None = None) -> None:
    cursors.commit("care", 0, (), 1)
    handed = [Handed(item=key, proof=f"v{version} 201") for key, version in proofs.items()]
    cursors.commit("care", log.cursor() if upto is None else upto, handed, 2)


def test_where_all_is_proved_the_account_is_good(
    town: CareTown, log: Written, cursors: SqliteCursors
) -> None:
    wanted = through(log, town)
    prove(cursors, log, wanted)
    found = account(town, log, cursors)
    assert (found.expected, found.proved, found.waiting, found.good) == (len(wanted), len(wanted), 0, True)


def test_what_has_no_proof_or_one_of_an_older_version_is_missing(
    town: CareTown, log: Written, cursors: SqliteCursors
) -> None:
    wanted = through(log, town)
    (visit,) = [key for key in wanted if key.startswith("visit")]
    (closed,) = [key for key in wanted if key.endswith("closed")]
    prove(cursors, log, {**wanted, visit: 1} | {closed: 0})
    found = account(town, log, cursors)
    assert {(one.key, one.version) for one in found.missing} == {
        (visit, wanted[visit]),
        (closed, wanted[closed]),
    }
    assert not found.good


def test_a_dead_letter_is_refused_with_its_reason_until_it_arrives(
    town: CareTown, log: Written, cursors: SqliteCursors
) -> None:
    wanted = through(log, town)
    (closed,) = [key for key in wanted if key.endswith("closed")]
    prove(cursors, log, {key: version for key, version in wanted.items() if key != closed})
    cursors.commit("care", log.cursor(), [Handed(item=closed, refused="HTTP 422 who?", body=b"{}")], 3)
    found = account(town, log, cursors)
    assert [(one.key, one.why) for one in found.refused] == [(closed, "HTTP 422 who?")]
    (letter,) = cursors.letters("care", 10)
    cursors.settle(letter, Handed(item=closed, proof=f"v{wanted[closed]} 201"), 4)
    assert account(town, log, cursors).good


def test_what_a_person_gave_up_is_said_so_until_a_newer_one_arrives(
    town: CareTown, log: Written, cursors: SqliteCursors
) -> None:
    wanted = through(log, town)
    (closed,) = [key for key in wanted if key.endswith("closed")]
    prove(cursors, log, {key: version for key, version in wanted.items() if key != closed})
    cursors.commit("care", log.cursor(), [Handed(item=closed, refused="HTTP 422 who?", body=b"{}")], 3)
    (letter,) = cursors.letters("care", 10)
    cursors.settle(letter, None, 4)
    found = account(town, log, cursors)
    assert [(one.key, one.why) for one in found.given_up] == [(closed, "HTTP 422 who?")]
    assert (found.missing, found.good) == ([], True)
    prove(cursors, log, {closed: wanted[closed]})
    assert account(town, log, cursors).given_up == []


@pytest.mark.parametrize(
    ("words", "proofs", "letters"),
    [
        (("refused 1", "refused 2"), {}, ["refused 2"]),
        (("refused 1", "v2 201"), {"k": "v2 201"}, []),
        (("v1 201", "refused 2"), {}, ["refused 2"]),
    ],
)
def test_of_two_words_on_one_item_the_last_counts(
    cursors: SqliteCursors, words: tuple[str, ...], proofs: dict[str, str], letters: list[str]
) -> None:
    handed = [
        Handed(item="k", refused=word) if word.startswith("refused") else Handed(item="k", proof=word)
        for word in words
    ]
    cursors.commit("care", 1, handed, 1)
    assert cursors.proofs("care", ["k"]) == proofs
    assert [letter.reason for letter in cursors.letters("care", 10)] == letters


def test_what_the_receiver_does_not_list_any_more_is_lost(
    town: CareTown, log: Written, cursors: SqliteCursors
) -> None:
    wanted = through(log, town)
    prove(cursors, log, wanted)
    listed = {key: Held(version=version) for key, version in wanted.items()}
    (visit,) = [key for key in wanted if key.startswith("visit")]
    assert account(town, log, cursors, listed).good
    listed[visit] = Held(version=1)
    (lost,) = account(town, log, cursors, listed).lost
    assert (lost.key, lost.why) == (visit, "version 1 is there")


def test_what_lies_behind_the_cursor_is_still_to_be_sent_and_no_fault(
    town: CareTown, log: Written, cursors: SqliteCursors
) -> None:
    first = min(log.pages)
    opened = owed(log.pages[first], town.asked)
    prove(cursors, log, dict.fromkeys(opened, 9), upto=first)
    found = account(town, log, cursors)
    assert (found.expected, found.proved, found.missing, found.good) == (2, 2, [], True)
    assert found.waiting == len(through(log, town)) - 1  # the visit waits in a later version


def test_what_was_before_the_tap_began_is_not_owed(
    town: CareTown, log: Written, cursors: SqliteCursors
) -> None:
    assert account(town, log, cursors).begun is None
    cursors.commit("care", log.cursor(), (), 1)
    found = account(town, log, cursors)
    assert (found.begun, found.expected, found.good) == (log.cursor(), 0, True)
    cursors.commit("care", log.cursor() + 5, (), 1)
    assert cursors.begun("care") == log.cursor()
