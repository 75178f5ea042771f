"""SCAIP replies: the status number that public implementations send, for every golden frame."""

import json
import os
import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from adapters.scaip import ADAPTER
from gateway.contract import Answering, Outcome, Told
from gateway.contract.golden import Case, frame_of
from gateway.contract.markup import Node, read_markup
from gateway.model.frame import Frame, Transport

NOW = datetime(2026, 2, 3, 20, 15, tzinfo=UTC)
TAKEN = Told(Outcome.TAKEN, NOW)
CASES = {
    path.name: json.loads(path.read_text("utf-8"))
    for path in files("adapters.scaip").joinpath("frames").iterdir()
}
SAMPLES = Path(os.environ.get("VAKA_SAMPLES", "/nowhere"))


def reply(payload: str | bytes, told: Told = TAKEN) -> Node:
    body = payload.encode() if isinstance(payload, str) else payload
    answer = ADAPTER.reply(Frame(Transport.SIP, "sip/26317", body, NOW), told)
    root = read_markup(answer)
    assert root.name == "mrs"
    return root


def test_the_adapter_is_one_that_answers() -> None:
    assert isinstance(ADAPTER, Answering)


@pytest.mark.parametrize("name", sorted(set(CASES) - {"reply.json", "topic-short.json"}))
def test_every_golden_frame_gets_the_number_that_its_verdict_names(name: str) -> None:
    case: Case = CASES[name]
    reason = case.get("quarantine", {}).get("reason", "")
    told = re.search(r"\(reply (\d)\)", reason)
    expected = told[1] if told else "3" if reason else "0"
    root = read_markup(ADAPTER.reply(frame_of(case), TAKEN))
    assert (root.name, root.words("snu")) == ("mrs", expected)
    seen = re.search(rb"<ref>([0-9A-Za-z]+)</ref>", frame_of(case).payload)
    assert root.words("ref") == (seen[1].decode() if seen else root.words("ref"))


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="VAKA_SAMPLES names no folder")
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*-scaip-*.json")), ids=lambda path: path.stem)
def test_a_makers_own_message_gets_the_reply_that_its_sample_says(path: Path) -> None:
    sample = json.loads(path.read_text("utf-8"))
    wanted, root = sample["expected"]["reply"], reply(sample["payload"])
    assert root.words("snu") == wanted["snu"]
    if "ref" in wanted:
        assert root.words("ref") == wanted["ref"]


def test_a_reply_is_never_replied_to() -> None:
    assert ADAPTER.reply(frame_of(CASES["reply.json"]), TAKEN) == b""
    declared = b"\xef\xbb\xbf<?xml version='1.0'?>\n <MRS><ref>1</ref></MRS>"
    assert ADAPTER.reply(Frame(Transport.SIP, "sip/1", declared, NOW), TAKEN) == b""


@pytest.mark.parametrize(
    ("outcome", "number"),
    [(Outcome.TOO_LONG, "1"), (Outcome.UNKNOWN, "5"), (Outcome.FOREIGN, "5"), (Outcome.BUSY, "6")],
)
def test_what_the_gateway_did_not_take_is_told_by_its_number(outcome: Outcome, number: str) -> None:
    root = reply("<mrq><ref>7</ref><cid>26317</cid><dty>0003</dty></mrq>", Told(outcome, NOW))
    assert (root.words("ref"), root.words("snu")) == ("7", number)


def test_what_cannot_be_read_is_told_so_even_of_an_unknown_unit() -> None:
    root = reply("<mrq><ref>7</ref><cid>26317</cid></mrq>", Told(Outcome.UNKNOWN, NOW))
    assert root.words("snu") == "7"


def test_the_ref_of_a_broken_message_is_echoed_where_it_can_be_seen() -> None:
    assert reply("<mrq><ref>0A1B</ref><cid>26317").words("ref") == "0A1B"
    assert reply("\x00\x01").words("ref") == "0"


def test_the_heartbeat_interval_is_told_to_a_unit_that_asks_alone() -> None:
    told = Told(Outcome.TAKEN, NOW, interval=2)
    asks = "<mrq><ref>7</ref><mty>PI</mty><hbo>1</hbo><cid>26317</cid><dty>0002</dty></mrq>"
    assert reply(asks, told).words("hbi") == "2"
    assert reply(asks).first("hbi") is None
    assert reply(asks.replace("<hbo>1</hbo>", "<hbo>0</hbo>"), told).first("hbi") is None


def test_a_unit_that_would_call_is_told_that_nobody_speaks() -> None:
    alarm = "<mrq><ref>7</ref><cid>26317</cid><dty>0003</dty><crd>sip:26317@example.net</crd></mrq>"
    assert reply(alarm).words("mre") == "0"
    assert reply(alarm.replace("sip:26317@example.net", "no-voice:")).first("mre") is None
