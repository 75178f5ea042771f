"""`vaka decode` on messages of the samples' form; the samples themselves are golden frames in adapters/."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.__main__ import app


def decode(tmp_path: Path, **sample: Any) -> list[dict[str, Any]]:
    file = tmp_path / "sample.json"
    file.write_text(json.dumps({"transport": "mqtt"} | sample))
    done = CliRunner().invoke(app, ["decode", str(file)])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_lost_lock_is_an_offline_event_that_raises_an_alert_after_its_grace(tmp_path: Path) -> None:
    (line,) = decode(tmp_path, topic="nuki/AABBCC99/connected", payload="false")
    assert (line["type"], line["device"], line["raises_alert"]) == ("device.offline", "AABBCC99", True)
    assert line["occurred_at"] is None


def test_an_unsupervised_device_may_be_away(tmp_path: Path) -> None:
    assume = {"registry": {"supervised": False}}
    (line,) = decode(tmp_path, topic="nuki/AABBCC99/connected", payload="false", assume=assume)
    assert line["raises_alert"] is False


def test_the_old_state_sent_before_the_new_one_and_the_repeat_are_no_events(tmp_path: Path) -> None:
    closed, opened = '{"contact":true,"battery":60}', '{"contact":false,"battery":60}'
    sequence = [
        {"at": f"2021-11-26T09:55:2{n}", "payload": p} for n, p in enumerate((closed, opened, opened))
    ]
    lines = decode(tmp_path, topic="zigbee2mqtt/backgate", payload=None, sequence=sequence)
    assert [line["type"] for line in lines if "type" in line] == ["door.opened"]
    assert {key for line in lines if "type" not in line for key in line} == {"status", "topic"}


def test_an_old_message_is_read_as_received_when_it_happened(tmp_path: Path) -> None:
    payload = '{"_type":"location","batt":53,"lat":48.85,"lon":2.29,"tst":1706856298}'
    lines = decode(tmp_path, topic="owntracks/jane/nokia", payload=payload)
    position = next(line for line in lines if line.get("type") == "position.update")
    assert position["occurred_at"] == "2024-02-02T06:44:58+00:00"
    assert position["raises_alert"] is False


def test_a_message_that_cannot_be_read_is_told_with_reason_and_clause(tmp_path: Path) -> None:
    (line,) = decode(tmp_path, topic="vaka/1/t/d/event", payload="{")
    assert line["quarantine"]
    assert line["clause"].startswith("VDI-")


@pytest.mark.parametrize(
    ("content", "word"),
    [("{", "not JSON"), ("[]", "payload"), ('{"payload":"x","transport":"pigeon"}', "pigeon")],
)
def test_a_file_of_another_form_is_one_clear_line(tmp_path: Path, content: str, word: str) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(content)
    done = CliRunner().invoke(app, ["decode", str(file)])
    assert done.exit_code == 2
    assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_options_alone_make_a_message() -> None:
    done = CliRunner().invoke(app, ["decode", "--topic", "nuki/AABBCC99/connected", "--payload", "true"])
    assert done.exit_code == 0
    assert json.loads(done.stdout.splitlines()[0])


def test_a_refused_message_names_its_device_and_the_alert_that_it_raises(tmp_path: Path) -> None:
    (line,) = decode(tmp_path, kind="scaip", transport="sip", topic=None, payload="<mrq><cid>7</cid></mrq>")
    assert (line["device"], line["raises_alert"]) == ("7", True)


@pytest.mark.parametrize(
    ("kind", "transport", "payload", "word"),
    [
        ("scaip", "sip", "<mrq><ref>1</ref><cid>7</cid><dty>3</dty></mrq>", "alarm.manual"),
        ("sia-dc09", "tcp", '00000000"SIA-DCS"0001L0#12[#12|NPA7]', "alarm.manual"),
        (
            "bthome-v2",
            "ble-advertisement",
            {"service_uuid": "fcd2", "service_data_hex": "402d01", "address": "A4:C1:38:8D:18:B2"},
            "door.opened",
        ),
    ],
)
def test_a_sample_that_names_only_its_kind_comes_in_by_its_usual_way(
    tmp_path: Path, kind: str, transport: str, payload: object, word: str
) -> None:
    lines = decode(tmp_path, kind=kind, transport=transport, topic=None, payload=payload)
    assert [line["type"] for line in lines if "type" in line] == [word]
