"""No reference, place or sentence of a gateway's data stands in a recording of it."""

import gzip
import json
import re
import string
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.commands.replay import export_recording
from gateway.config import Settings
from gateway.model.frame import Frame, Transport
from gateway.model.registry import RegistryDocument, Zone
from gateway.recording.places import Places
from gateway.stores.sqlite_store import SqliteStore
from rules.places import distance_m
from tests.unit.replay.kit import START, Life, town

MARK = "Zq"
"""Stands in every word that the test makes up, and in none that the program knows."""
KEYS = ("tenant", "unit", "team", "ladder", "home", "person", "gps", "staff", "flag", "role", "model")
KEYS += ("credential", "dose", "visit", "source", "competence")
names = st.text(string.ascii_letters + string.digits, min_size=3, max_size=12).map(lambda text: MARK + text)
sentences = st.text(min_size=1, max_size=40).map(lambda text: f"{MARK}{text}{MARK}")
latitudes = st.integers(1_00003, 80_00003).map(lambda value: value / 100_000)
longitudes = st.integers(1_00003, 179_00003).map(lambda value: value / 100_000)
details = st.dictionaries(names, names, max_size=2)


def text_of(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text_of(path).splitlines()]


def strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from strings_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings_in(inner)


def numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from numbers_in(inner)


@st.composite
def households(draw: st.DrawFn) -> dict[str, Any]:
    """A registry in which every word is made up, with the frames of a day that have more of them."""
    word = {key: f"{draw(names)}{number}" for number, key in enumerate(KEYS)}
    latitude, longitude = draw(latitudes), draw(longitudes)
    native = f"{word['tenant']}/{word['gps']}"
    registry = {
        "tenant": [{"id": word["tenant"], "name": draw(sentences)}],
        "unit": [{"id": word["unit"], "tenant": word["tenant"], "name": draw(sentences)}],
        "team": [{"id": word["team"], "unit": word["unit"], "name": draw(sentences)}],
        "ladder": [{"id": word["ladder"], "tenant": word["tenant"], "steps": [{"to": [word["team"]]}]}],
        "home": [
            {
                "id": word["home"],
                "tenant": word["tenant"],
                "unit": word["unit"],
                "care_ladder": word["ladder"],
                "technical_ladder": word["ladder"],
                "zone": {"latitude": latitude, "longitude": longitude, "radius_m": 300},
            }
        ],
        "person": [{"ref": word["person"], "home": word["home"], "flags": [word["flag"], "night_wandering"]}],
        "device": [
            {
                "id": word["gps"],
                "tenant": word["tenant"],
                "adapter": "vaka",
                "native_id": native,
                "kind": "gps_alarm",
                "model": word["model"],
                "secret": draw(sentences),
                "certificate": draw(sentences),
            }
        ],
        "enrolment": [
            {
                "device": word["gps"],
                "home": word["home"],
                "person": word["person"],
                "since": START.isoformat(),
                "role": word["role"],
                "doses": [{"ref": word["dose"], "at": "08:00", "minutes": 30}],
            }
        ],
        "staff": [
            {
                "ref": word["staff"],
                "tenant": word["tenant"],
                "teams": [word["team"]],
                "roles": ["carer", word["role"]],
                "competences": [word["competence"]],
                "credentials": [word["credential"]],
            }
        ],
    }
    events = [
        ("position.update", {"latitude": latitude + 0.01, "longitude": longitude, "source": draw(names)}),
        ("alarm.manual", {"presses": 1, "details": draw(details)}),
        ("lock.unlocked", {"credential": word["credential"], "visit": word["visit"]}),
        ("medication.missed", {"dose": word["dose"]}),
        ("geofence.exit", {"geofence": draw(sentences)[:500]}),
        ("heartbeat", {"code": draw(names), "firmware": draw(names), "link": draw(names)}),
        ("motion.detected", {"location": draw(names)}),
        ("lock.melted" + draw(names), {}),
    ]
    return {"word": word, "registry": registry, "events": events, "native": native, "note": draw(sentences)}


def lived(made: dict[str, Any], folder: Path) -> None:
    word = made["word"]
    life = Life(folder, RegistryDocument.of(made["registry"]), answering=0)
    at = START + timedelta(minutes=1)
    for number, (kind, data) in enumerate(made["events"]):
        event = {
            "specversion": "1.0",
            "id": f"{MARK}event{number}",
            "source": f"vaka:{made['native']}",
            "type": f"vaka.{kind}.v1",
            "time": (at + timedelta(seconds=number)).isoformat(),
            "clockquality": "synced",
            "data": data,
        }
        topic = f"vaka/v1/{made['native']}/event"
        frame = Frame(Transport.MQTT, topic, msgspec.json.encode(event), at, source=word["gps"])
        life.say(at + timedelta(seconds=number), frame)
    life.until(at + timedelta(minutes=1))
    for alert in list(life.state.alerts):
        words = {"actor": word["staff"], "note": made["note"]}
        for action, more in (("decline", {}), ("accept", {}), ("close", {"outcome": "real", "seen": 1})):
            payload = msgspec.json.encode({**words, **more})
            life.say(life.now, Frame(Transport.PERSON, f"alert/{alert}/{action}", payload, at))
    context = {
        "id": f"{MARK}ctx",
        "kind": "visit",
        "home": word["home"],
        "since": at,
        "until": at + timedelta(hours=1),
        "ref": word["staff"],
        "reason": made["note"],
        "source": word["source"],
    }
    life.say(at, Frame(Transport.PERSON, f"context/{MARK}ctx/set", msgspec.json.encode(context), at))
    shift = {"id": f"{MARK}sh", "staff": word["staff"], "team": word["team"], "source": word["source"]}
    shift |= {"since": at, "until": at + timedelta(hours=8)}
    plan = {"source": word["source"], "since": at, "until": at + timedelta(days=1), "shifts": [shift]}
    plan |= {"actor": word["staff"]}
    life.say(at, Frame(Transport.PERSON, "people/shifts", msgspec.json.encode(plan), at))
    reach = {"channel": f"{MARK}channel", "reachable": True, "reason": made["note"]}
    reach_of = f"staff/{word['staff']}/reach"
    life.say(at, Frame(Transport.RECEIPT, reach_of, msgspec.json.encode(reach), at))
    finding = {"kind": "way_in_lost", "subject": f"{MARK}broker", "reason": made["note"]}
    finding |= {"values": {"way": f"{MARK}broker", "minutes": 3}}
    report = {"kinds": ["way_in_lost", f"{MARK}kind"], "findings": [finding]}
    life.say(at, Frame(Transport.WATCH, "watch", msgspec.json.encode(report), at))
    life.say(at, Frame(Transport.PERSON, f"{MARK}/unknown/thing", b'{"x": "Zq"}', at))
    life.until(at + timedelta(hours=2))
    life.close()


@given(made=households())
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_was_made_up_stands_in_the_file(
    made: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("home")
    lived(made, folder)
    export_recording(Settings(), folder, folder / "out.gz", (None, None), keep=False)

    told = lines_of(folder / "out.gz")
    assert MARK not in text_of(folder / "out.gz")
    kinds = {line["line"] for line in told}
    assert kinds >= {
        "recording",
        "device",
        "registry",
        "people",
        "watch",
        "alert",
        "history",
        "answer",
        "end",
    }
    zone = made["registry"]["home"][0]["zone"]
    for number in numbers_in(told):
        for place in (zone["latitude"], zone["longitude"], zone["latitude"] + 0.01):
            assert abs(number - place) > 1e-6


def test_of_an_evening_no_reference_and_no_sentence_is_left(lived: Path, file: Path) -> None:
    document = town()
    known = {one.id for one in (*document.home, *document.device, *document.team, *document.ladder)}
    known |= {one.ref for one in (*document.person, *document.staff)}
    known |= {name for one in document.staff for name in one.credentials}
    known |= {one.native_id for one in document.device} | {one.secret for one in document.device}
    known |= {one.name for one in (*document.tenant, *document.team, *document.unit)}
    known |= {window.ref for one in document.enrolment for window in (*one.doses, *one.looks)}
    store = SqliteStore(lived / "state.db")
    ids = {alert for entry in store.entries(0, 1 << 60) for alert in [entry.alert]}
    events = {event.id for _, event in store.events(limit=10_000)}
    store.close()

    words = set(strings_in(lines_of(file)))

    assert words & known <= {"care", "technical"}  # ladders that are called as routes are
    assert not words & (ids | events)
    assert not any("Greta" in word for word in words)
    text = text_of(file)
    assert not [name for name in known - {"technical", None} if len(name) > 6 and name in text]


def test_every_word_of_a_recording_is_a_name_a_time_or_of_a_closed_list(file: Path) -> None:
    """What is no pseudonym is one of a few hundred words, whatever the gateway heard."""
    header, *told = lines_of(file)
    name = re.compile(r"r[0-9a-f]{16}(/|$)|[0-9a-f]{16}$|[0-9a-f]{64}$")
    moment = re.compile(r"(\d{4}-\d\d-\d\d(T.*)?|\d\d:\d\d(:\d\d)?)$")
    channel = re.compile(r"(context|staff)/r[0-9a-f]{16}/(set|end|reach)$")
    plain = {
        word
        for line in told
        for word in strings_in(line)
        if not name.match(word) and not moment.match(word) and not channel.match(word)
    }

    assert len(plain) < 300
    assert not [word for word in plain if len(word.split()) > 1]
    assert header["references"] == "pseudonyms"
    assert any("positions" in what for what in header["left_out"])


def test_two_exports_share_no_name(lived: Path, file: Path, tmp_path: Path) -> None:
    export_recording(Settings(), lived, tmp_path / "other.gz", (None, None), keep=False)
    pseudonyms = re.compile(r"r[0-9a-f]{16}")

    one, other = (set(pseudonyms.findall(text_of(path))) for path in (file, tmp_path / "other.gz"))

    assert len(one) > 100
    assert not one & other


@given(latitude=latitudes, longitude=longitudes, north=st.floats(-0.05, 0.05), east=st.floats(-0.05, 0.05))
def test_distances_within_a_home_hold_to_a_millimetre(
    latitude: float, longitude: float, north: float, east: float
) -> None:
    places, zone = Places(), Zone(latitude=latitude, longitude=longitude, radius_m=300)

    moved = Zone(**places.zone("home", zone))
    at = places.moved("home", (latitude + north, longitude + east))

    before = distance_m(latitude + north, longitude + east, zone)
    assert abs(distance_m(*at, moved) - before) < 1e-3 + before * 1e-9
    assert abs(moved.latitude) < 1e-6
    assert abs(moved.longitude) < 1e-6


def test_a_home_without_a_zone_is_moved_as_a_whole_too() -> None:
    places = Places()
    one, other = places.moved("home", (59.0, 15.0)), places.moved("home", (59.001, 15.001))
    before = distance_m(59.0, 15.0, Zone(latitude=59.001, longitude=15.001, radius_m=1))

    assert abs(distance_m(*one, Zone(latitude=other[0], longitude=other[1], radius_m=1)) - before) < 1e-2
    assert one != (59.0, 15.0)


def test_with_references_kept_they_stay_and_raw_messages_and_sentences_do_not(kept_file: Path) -> None:
    text = text_of(kept_file)

    assert '"home-001"' in text
    assert '"references":"kept"' in text
    assert "Greta" not in text
    assert "specversion" not in text
    assert "blake2b$" not in text
