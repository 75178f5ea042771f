"""Summary: the five answers that a head of unit looks for first, each with its query."""

import msgspec

from gateway.pilot.sections import spanned
from gateway.pilot.tables import Teller

FEWEST_ALARMS = 5
"""Real alarms under which the promise is not judged."""


HEARD_ENOUGH_PERCENT = 90
UNKNOWN_DOSES_PERCENT = 5
"""Availability under which, and share of doses without a word over which, savings are told with a warning."""


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """A question's name, its answer in large letters, and sentences below it."""

    name: str
    answer: str
    said: list[str]
    query: str
    section: str


def summary(teller: Teller) -> list[Tile]:
    """Return the answers: availability, missed doses, staff time, benefit, and the promise."""
    return [_availability(teller), _doses(teller), _time(teller), _benefit(teller), _promise(teller)]


def _availability(teller: Teller) -> Tile:
    figures, words = teller.figures, teller.words
    if figures.get("availability", "availability") is None:
        answer, said = words("page.missing"), [words("summary.availability_missing")]
    else:
        answer = teller.shown("availability", "availability")
        each = figures.subjects("availability")
        said = [words("summary.availability_said")]
        said += [
            f"{one}: {teller.shown('availability', 'availability', one)}" for one in each if len(each) > 1
        ]
    return Tile(name="availability", answer=answer, said=said, query="availability", section="availability")


def _doses(teller: Teller) -> Tile:
    figures, words = teller.figures, teller.words
    missed = figures.get("doses", "doses_missed")
    if missed is None or missed.value is None:
        why = "doses_missing" if missed is None else "doses_hidden"
        answer, said = words.figure(missed), [words(f"summary.{why}")]
    else:
        planned = teller.shown("doses", "doses_planned")
        answer = words("summary.doses_of", missed=words.figure(missed), planned=planned)
        said = [words("summary.doses_said", share=teller.shown("doses", "doses_missed_share"))]
        if figures.value("doses", "doses_no_word"):
            said.append(words("summary.doses_no_word", n=teller.shown("doses", "doses_no_word")))
        each = figures.subjects("doses")
        said += [
            f"{one}: {teller.shown('doses', 'doses_missed_share', one)}" for one in each if len(each) > 1
        ]
        before, now = (figures.value("baseline", one, "missed_doses_per_week") for one in ("before", "now"))
        if before is not None and now is not None:
            values = {"before": words.value(before, "number"), "now": words.value(now, "number")}
            said.append(words("summary.doses_before", **values))
    return Tile(name="doses", answer=answer, said=said, query="doses", section="doses")


def _time(teller: Teller) -> Tile:
    figures, words = teller.figures, teller.words
    low = figures.value("benefit", "benefit_hours", part="low")
    said = [words("summary.time_missing" if low is None else "summary.time_said")]
    high = figures.value("benefit", "benefit_hours", part="high")
    days = figures.value("scope", "days")
    if low is not None and high is not None and days:
        each = {name: words.number(of * 7 / days) for name, of in (("low", low), ("high", high))}
        said.append(words("summary.time_week", **each))
        said += _doubt(teller)
    if low is not None and low < 0:
        said.append(words("summary.time_lost"))
    answer = spanned(teller, "benefit_hours")
    return Tile(name="time", answer=answer, said=said, query="benefit", section="benefit")


def _benefit(teller: Teller) -> Tile:
    figures, words = teller.figures, teller.words
    low, likely, high = (
        figures.value("benefit", "benefit_sek", part=part) for part in ("low", "likely", "high")
    )
    answer = spanned(teller, "benefit_sek")
    if low is None or likely is None or high is None:
        said = [words("summary.benefit_missing")]
    else:
        said = [words("summary.benefit_said", likely=words.money(likely))]
        said += _doubt(teller)
        if low < 0 < high:
            said.append(words("summary.benefit_uncertain"))
        lines = figures.subjects("benefit", "benefit_sek")
        left_out = [one for one in lines if figures.value("benefit", "benefit_sek", one, "likely") is None]
        if left_out:
            names = ", ".join(words(f"line.{one}").lower() for one in left_out)
            said.append(words("summary.benefit_left_out", lines=names))
    return Tile(name="benefit", answer=answer, said=said, query="benefit", section="benefit")


def _doubt(teller: Teller) -> list[str]:
    """Return a warning where silence has left too much unknown: what nobody heard was not saved."""
    heard = teller.figures.value("availability", "availability")
    planned = teller.figures.value("doses", "doses_planned")
    unknown = teller.figures.value("doses", "doses_no_word")
    silent = heard is not None and heard < HEARD_ENOUGH_PERCENT
    untold = bool(planned and unknown) and 100 * (unknown or 0) / (planned or 1) > UNKNOWN_DOSES_PERCENT
    return [teller.words("summary.doubt")] if silent or untold else []


def _promise(teller: Teller) -> Tile:
    words, promise = teller.words, teller.figures.scope.pilot.promise
    share = teller.figures.value("promise", "promise_share")
    alarms = teller.figures.value("promise", "promise_alarms") or 0
    answer = words("summary.unjudged")
    if promise is None:
        said = [words("summary.promise_none")]
    elif share is None or alarms < FEWEST_ALARMS:
        minutes = words.value(promise.on_site_min, "number")
        said = [words("summary.promise_few", alarms=words.number(alarms), minutes=minutes)]
    else:
        answer = words("summary.kept" if share >= promise.percent else "summary.broken")
        said = _kept(teller)
    return Tile(name="promise", answer=answer, said=said, query="promise", section="response")


def _kept(teller: Teller) -> list[str]:
    words, promise = teller.words, teller.figures.scope.pilot.promise
    values = {
        "kept": teller.shown("promise", "promise_kept"),
        "alarms": teller.shown("promise", "promise_alarms"),
        "share": teller.shown("promise", "promise_share"),
        "minutes": words.value(promise.on_site_min if promise else None, "number"),
        "percent": words.value(promise.percent if promise else None, "percent"),
    }
    said = [words("summary.promise_said", **values)]
    if teller.figures.value("promise", "promise_unrecorded"):
        said.append(words("summary.promise_unrecorded", n=teller.shown("promise", "promise_unrecorded")))
    return said
