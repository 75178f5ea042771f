"""The same message in CBOR and in JSON says the same."""

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import cbor2
import pytest

from adapters.vaka import ADAPTER
from adapters.vaka.cbor import MAX_BYTES
from gateway.contract import Undecodable
from gateway.model.frame import Frame, Transport

RECEIVED = datetime(2026, 2, 3, 20, 15, tzinfo=UTC)


def cases() -> list[Any]:
    found = []
    for path in sorted(files("adapters.vaka").joinpath("frames").iterdir(), key=lambda one: one.name):
        case = json.loads(path.read_text("utf-8"))
        branch = case["topic"].rpartition("/")[2]
        try:
            fields = json.loads(case.get("payload", ""))
        except (ValueError, RecursionError):
            continue
        whole = case["topic"].startswith("vaka/1/") and case["topic"].count("/") == 4
        if isinstance(fields, dict) and whole and branch in BRANCHES:
            found.append(pytest.param(case["topic"], fields, id=path.name.removesuffix(".json")))
    return found


BRANCHES = {"event", "status", "result"}


def said(transport: Transport, channel: str, payload: bytes) -> Any:
    try:
        return ADAPTER.decode(Frame(transport, channel, payload, RECEIVED))
    except Undecodable as refused:
        return refused.clause


@pytest.mark.parametrize(("topic", "fields"), cases())
def test_every_golden_message_of_mqtt_means_the_same_over_gatt(topic: str, fields: dict[str, Any]) -> None:
    over_mqtt = said(Transport.MQTT, topic, json.dumps(fields).encode())
    payload = cbor2.dumps(fields)
    over_gatt = said(Transport.BLE, f"ble/{topic}", payload)

    if len(payload) > MAX_BYTES:
        assert over_gatt == "VDI-BLE-03"
    elif isinstance(over_mqtt, str):
        assert over_gatt in (over_mqtt, "VDI-BLE-02")
    else:
        assert over_gatt == over_mqtt
