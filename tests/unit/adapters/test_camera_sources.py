"""Cameras as sources: what is personal in their messages stays behind, and states are no happenings."""

import json
from typing import Any

import msgspec
import pytest

from adapters.axis import ADAPTER as AXIS
from adapters.frigate import ADAPTER as FRIGATE
from adapters.onvif import ADAPTER as ONVIF
from gateway.contract import Adapter
from gateway.model.codes.topics import TOPICS, bare, find, say
from gateway.model.reading import Reading
from gateway.model.vocabulary import VOCABULARY
from tests.unit.adapters.spoken import heard

TRACKED = {
    "id": "1-a", "camera": "hall", "label": "person", "frame_time": 1607123962.0, "false_positive": False,
    "sub_label": ["Secret Name", 0.79], "attributes": {"face": 0.86}, "recognized_license_plate": "SECRET1",
    "current_attributes": [{"label": "face", "box": [1, 2, 3, 4]}], "thumbnail": "SECRETPICTURE",
    "snapshot": {"frame_time": 1, "path": "SECRETPATH"}, "current_zones": ["yard"],
}  # fmt: skip
HOLDER = (
    "<NotificationMessage><Topic>tns1:AccessControl/Denied/Credential</Topic><Message><Message UtcTime="
    '"2026-02-03T20:14:58Z"><Data><SimpleItem Name="CredentialHolderName" Value="Secret Name"/><SimpleItem '
    'Name="CardNumber" Value="SECRET1"/></Data></Message></Message></NotificationMessage>'
)
PORT = {
    "topic": "onvif:Device/axis:IO/Port",
    "timestamp": 1_590_045_190_230,
    "message": {"data": {"state": "1", "RuleName": "Secret Name", "user": "SECRET1"}},
}


@pytest.mark.parametrize(
    ("adapter", "channel", "payload"),
    [
        pytest.param(FRIGATE, "frigate/events", {"type": "new", "after": TRACKED}, id="event"),
        pytest.param(
            FRIGATE,
            "frigate/reviews",
            {
                "type": "new",
                "after": {
                    "id": "1-r", "camera": "hall", "start_time": 1.0, "thumb_path": "/SECRETPATH.webp",
                    "data": {"objects": ["person-verified"], "sub_labels": ["Secret Name"]},
                },
            },
            id="review",
        ),
        pytest.param(
            FRIGATE,
            "frigate/tracked_object_update",
            {"type": "face", "id": "1-a", "name": "Secret Name", "camera": "hall"},
            id="face",
        ),
        pytest.param(AXIS, "axis/ACCC8E01/event/Device/IO/Port", PORT, id="rule-name"),
        pytest.param(ONVIF, "onvif/door-1/event", HOLDER, id="card-holder"),
    ],
)  # fmt: skip
def test_names_faces_plates_and_pictures_stay_behind(adapter: Adapter, channel: str, payload: Any) -> None:
    raw = payload if isinstance(payload, str) else json.dumps(payload)
    written = msgspec.json.encode(heard(adapter, channel, raw)).decode()
    assert "secret" not in written.lower()


def test_a_tracked_person_is_one_presence_however_often_it_is_told() -> None:
    (first,) = heard(FRIGATE, "frigate/events", json.dumps({"type": "new", "after": TRACKED}))
    (later,) = heard(FRIGATE, "frigate/events", json.dumps({"type": "update", "after": TRACKED}))
    assert isinstance(first, Reading)
    assert isinstance(later, Reading)
    assert {(one.type, one.native_id, one.happened) for one in (first, later)} == {
        ("presence.detected", "hall", False)
    }


def test_every_topic_says_words_of_the_vocabulary_or_why_it_says_none() -> None:
    for row in TOPICS.values():
        named = {word for pair in row.named.values() for word in pair}
        words = {row.on, row.off, *row.values.values(), *row.person, *row.seen, *named} - {""}
        assert words <= VOCABULARY.keys(), row.path
        assert bool(words) != bool(row.reason), row.path


@pytest.mark.parametrize(
    "written",
    [
        "tns1:Device/tnsaxis:IO/Port",
        "tns:onvif/Device/tns:axis/IO/Port",
        "Device/IO/Port/",
        "/Device/IO/Port",
    ],
)
def test_a_topic_is_the_same_however_its_namespaces_are_written(written: str) -> None:
    row = find(bare(written))
    assert row is not None
    assert say(row, {"State": "HIGH"}).word == "input.active"


def test_a_state_that_is_neither_true_nor_false_says_nothing() -> None:
    row = find("VideoSource/MotionAlarm")
    assert row is not None
    assert say(row, {"State": "maybe"}).word == ""
