"""Decode: whose channel it is, and that nothing a frame holds stops the next one."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from gateway.contract import Manifest, Undecodable
from gateway.model.frame import MAX_PAYLOAD_BYTES, Frame, Transport
from gateway.model.reading import Ignored, Reading
from gateway.pipeline.decode import AdapterTable, decode, matches
from gateway.plugins import load_adapters

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Stub:
    """An adapter of some topics that does as its payload says."""

    def __init__(self, name: str, *topics: str) -> None:
        self.manifest = Manifest(id=name, product=name, version="1", topics=topics, branch="")

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        if frame.payload == b"undecodable":
            raise Undecodable("it says nothing", clause="S-1", native_id="d")
        if frame.payload == b"fault":
            raise KeyError("a fault of the adapter")
        return [Ignored(self.manifest.id, frame.channel)]


TABLE = AdapterTable([Stub("own", "own/#"), Stub("wild", "+/state"), Stub("exact", "home/state", "home/+/x")])


def read(
    channel: str, payload: bytes = b"", transport: Transport = Transport.MQTT, fault: str = ""
) -> object:
    found = decode(Frame(transport, channel, payload, AT, fault=fault), TABLE)
    return (found.failure and (found.failure, found.clause, found.native_id)) or found.items


@pytest.mark.parametrize(
    ("channel", "adapter"),
    [
        ("own/anything/at/all", "own"),
        ("home/state", "exact"),
        ("shed/state", "wild"),
        ("home/hall/x", "exact"),
        ("nobody/knows", None),
        ("state", None),
    ],
)
def test_the_most_literal_filter_finds_the_adapter(channel: str, adapter: str | None) -> None:
    found = TABLE.find(channel)
    assert (found and found.manifest.id) == adapter


@pytest.mark.parametrize(
    ("pattern", "channel", "fits"),
    [
        ("a/#", "a/b/c", True),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/b", "a", False),
        ("a/b", "a/c", False),
        ("#", "whatever/it/is", True),
    ],
)
def test_a_filter_fits_as_mqtt_says(pattern: str, channel: str, *, fits: bool) -> None:
    assert matches(pattern.split("/"), channel.split("/")) is fits


def test_a_webhooks_path_is_read_as_the_topic_behind_it() -> None:
    assert read("/in/own/x", transport=Transport.HTTP) == [Ignored("own", "own/x")]


@pytest.mark.parametrize(
    ("channel", "payload", "failure"),
    [
        ("own/x", b"undecodable", ("it says nothing", "S-1", "d")),
        ("own/x", b"fault", ("the adapter failed with KeyError", "adapter", "")),
        ("nobody/x", b"", ("no adapter reads the channel 'nobody/x'", "channel", "")),
        (
            "own/x",
            b"x" * (MAX_PAYLOAD_BYTES + 1),
            (f"payload of {MAX_PAYLOAD_BYTES + 1} bytes, allowed {MAX_PAYLOAD_BYTES}", "VDI-MQTT-LIMIT", ""),
        ),
    ],
)
def test_what_cannot_be_read_says_why(channel: str, payload: bytes, failure: tuple[str, str, str]) -> None:
    assert read(channel, payload) == failure


def test_a_transports_own_verdict_is_kept_with_its_clause() -> None:
    assert read("", fault="MQTT-3.1.2: no such protocol") == ("no such protocol", "MQTT-3.1.2", "")
    assert read("", fault="cut short") == ("cut short", "transport", "")


def test_every_shipped_adapter_is_found_by_its_own_topics() -> None:
    adapters = load_adapters()
    table = AdapterTable(adapters)
    for adapter in adapters:
        for topic in adapter.manifest.topics:
            channel = topic.replace("#", "x").replace("+", "x")
            assert table.find(channel) is adapter, channel


def test_a_filter_that_begins_with_a_wildcard_takes_no_topic_from_an_adapter_that_names_its_root() -> None:
    assert TABLE.find("own/x/y") is TABLE.adapters["own"]
    assert TABLE.find("own/state") is TABLE.adapters["own"]
    table = AdapterTable([Stub("own", "own/exactly"), Stub("wild", "+/state")])
    assert table.find("own/state") is table.adapters["own"]
    assert table.find("any/state") is table.adapters["wild"]
