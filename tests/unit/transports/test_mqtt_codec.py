import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transports.mqtt_codec import (
    MalformedPacketError,
    Packet,
    PacketError,
    PacketReader,
    PacketTooLargeError,
    WrongLevelError,
    encode,
)

LIMIT = 70_000

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
topics = st.text(st.characters(exclude_characters="\0#+", exclude_categories=["Cs"]), min_size=1, max_size=20)
filters = topics | st.sampled_from(["#", "a/+/#", "+/b"])
ids = st.integers(1, 65535)
blobs = st.binary(max_size=60)
pairs = st.lists(st.tuples(texts, texts), max_size=2)
QOS = (mqtt5.QoS.AT_MOST_ONCE, mqtt5.QoS.AT_LEAST_ONCE, mqtt5.QoS.EXACTLY_ONCE)
qos = st.sampled_from(QOS)


@st.composite
def publishes(draw: st.DrawFn, level: int) -> mqtt5.PublishPacket:
    wanted = draw(qos)
    return mqtt5.PublishPacket(
        draw(topics),
        draw(blobs),
        qos=wanted,
        retain=draw(st.booleans()),
        packet_id=draw(ids) if int(wanted) else None,
        duplicate=int(wanted) > 0 and draw(st.booleans()),
        user_properties=draw(pairs) if level == 5 else [],
        content_type=draw(texts) if level == 5 and draw(st.booleans()) else None,
    )


@st.composite
def wills(draw: st.DrawFn, level: int) -> mqtt5.Will:
    return mqtt5.Will(
        draw(topics),
        payload=draw(blobs),
        qos=draw(qos),
        retain=draw(st.booleans()),
        will_delay_interval=draw(st.integers(0, 1000)) if level == 5 else 0,
    )


@st.composite
def connects(draw: st.DrawFn, level: int) -> mqtt5.ConnectPacket:
    clean = draw(st.booleans())
    username = draw(st.none() | texts)
    return mqtt5.ConnectPacket(
        draw(texts),
        username=username,
        password=draw(st.none() | blobs) if username is not None or level == 5 else None,
        clean_start=clean,
        will=draw(st.none() | wills(level)),
        keep_alive=draw(st.integers(0, 65535)),
        session_expiry_interval=(
            draw(st.integers(0, 0xFFFFFFFF)) if level == 5 else (0 if clean else 0xFFFFFFFF)
        ),
        user_properties=draw(pairs) if level == 5 else [],
    )


@st.composite
def subscribes(draw: st.DrawFn, level: int) -> mqtt5.SubscribePacket:
    new = level == 5
    wanted = [
        mqtt5.TopicFilter(
            draw(filters),
            max_qos=draw(qos),
            no_local=new and draw(st.booleans()),
            retain_as_published=new and draw(st.booleans()),
            retain_handling=draw(st.sampled_from([mqtt5.RetainHandling(value) for value in (0, 1, 2)]))
            if new
            else mqtt5.RetainHandling(0),
        )
        for _ in range(draw(st.integers(1, 3)))
    ]
    return mqtt5.SubscribePacket(draw(ids), wanted)


def packets(level: int) -> st.SearchStrategy[Packet]:
    granted = st.sampled_from([mqtt5.SubAckReasonCode(code) for code in (0, 1, 2, 0x80)])
    refusals = [0, 132, 133, 134, 135, 136]
    undone = (
        st.lists(st.sampled_from([mqtt5.UnsubAckReasonCode(code) for code in (0, 17, 135)]), max_size=3)
        if level == 5
        else st.just([])
    )
    return st.one_of(
        connects(level),
        publishes(level),
        subscribes(level),
        st.builds(mqtt5.PubAckPacket, ids),
        st.builds(mqtt5.PubRecPacket, ids),
        st.builds(mqtt5.PubRelPacket, ids),
        st.builds(mqtt5.PubCompPacket, ids),
        st.builds(mqtt5.SubAckPacket, ids, st.lists(granted, min_size=1, max_size=3)),
        st.builds(mqtt5.UnsubscribePacket, ids, st.lists(filters, min_size=1, max_size=3)),
        st.builds(mqtt5.UnsubAckPacket, ids, undone),
        st.builds(
            lambda code: mqtt5.ConnAckPacket(reason_code=mqtt5.ConnAckReasonCode(code)),
            st.sampled_from(refusals),
        ),
        st.just(mqtt5.ConnAckPacket(session_present=True)),
        st.just(mqtt5.PingReqPacket()),
        st.just(mqtt5.PingRespPacket()),
        st.just(mqtt5.DisconnectPacket()),
    )


streams = st.sampled_from([4, 5]).flatmap(
    lambda level: st.tuples(st.just(level), st.lists(packets(level), max_size=8))
)


def fault_of(reader: PacketReader, raw: bytes) -> PacketError | None:
    try:
        reader.feed(raw)
    except PacketError as error:
        return error
    return None


@given(streams)
def test_what_is_written_is_read_back_at_either_level(stream: tuple[int, list[Packet]]) -> None:
    level, written = stream
    raw = b"".join(encode(packet, level) for packet in written)
    assert PacketReader(level, LIMIT).feed(raw) == written


@given(streams, st.data())
def test_cutting_the_stream_anywhere_changes_nothing(
    stream: tuple[int, list[Packet]], data: st.DataObject
) -> None:
    level, written = stream
    raw = b"".join(encode(packet, level) for packet in written)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=10)))
    reader = PacketReader(level, LIMIT)
    read: list[Packet] = []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        read += reader.feed(raw[start:end])
    assert read == written
    assert reader.pending == 0


@given(streams, st.integers(1, 3))
def test_a_limit_only_delays_packets(stream: tuple[int, list[Packet]], limit: int) -> None:
    level, written = stream
    reader = PacketReader(level, LIMIT)
    read = reader.feed(b"".join(encode(packet, level) for packet in written), limit)
    assert len(read) <= limit
    while more := reader.feed(b"", limit):
        assert len(more) <= limit
        read += more
    assert read == written


@given(st.sampled_from([None, 4, 5]), st.lists(st.binary(max_size=64), max_size=4))
def test_random_bytes_raise_nothing_but_packet_errors(level: int | None, chunks: list[bytes]) -> None:
    reader = PacketReader(level, 100)
    for chunk in chunks:
        fault = fault_of(reader, chunk)
        assert fault is None or fault.clause.startswith("MQTT ")
        assert fault is None or len(fault.evidence) <= 1024
        assert reader.pending <= 100


@given(streams, st.data())
def test_damaged_packets_raise_nothing_but_packet_errors(
    stream: tuple[int, list[Packet]], data: st.DataObject
) -> None:
    level, written = stream
    raw = bytearray(b"".join(encode(packet, level) for packet in written))
    for _ in range(data.draw(st.integers(1, 4))):
        if raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(
                st.sampled_from([0, 1, 2, 3, 0x7F, 0xFF])
            )
    fault = fault_of(PacketReader(level, LIMIT), bytes(raw))
    assert fault is None or fault.reason


@given(st.sampled_from([4, 5]), st.data())
def test_a_server_learns_the_level_from_connect(level: int, data: st.DataObject) -> None:
    connect = data.draw(connects(level))
    reader = PacketReader(None, LIMIT)
    assert reader.feed(encode(connect, level)) == [connect]
    assert reader.level == level


@pytest.mark.parametrize(
    "raw",
    [
        "100f00064d514973647003020001000161",
        "100d00044d5154540302003c000161",
        "100d00044d5154540602003c000161",
        "100d00044e4f50450402003c000161",
    ],
)
def test_other_protocols_are_a_wrong_level(raw: str) -> None:
    with pytest.raises(WrongLevelError, match="protocol name") as caught:
        PacketReader(None, LIMIT).feed(bytes.fromhex(raw))
    assert "3.1.2.2" in caught.value.clause


@pytest.mark.parametrize(
    ("level", "raw", "reason"),
    [
        (5, "3206000161000000", "identifier 0"),
        (5, "380400016100", "DUP with QoS 0"),
        (5, "300400010000", "U+0000"),
        (5, "300400012300", "wildcard"),
        (5, "30060003eda08000", "not UTF-8"),
        (5, "3008000161040300 01ff".replace(" ", ""), "not UTF-8"),
        (5, "82070001000001 61c0".replace(" ", ""), "options"),
        (5, "8203000100", "without a topic filter"),
        (4, "82020001", "without a topic filter"),
        (4, "820600010001" + "6104", "reserved bits"),
        (4, "4003000100", "bytes behind"),
        (4, "e00100", "bytes behind"),
        (4, "f000", "reserved"),
        (4, "36050001610001", "QoS 3"),
        (5, "30ffffffff01", "remaining length"),
        (5, "6000", "flags"),
        (4, "30020000", "empty"),
        (4, "20020006", "return code 6"),
        (5, "c00100", "bytes behind"),
    ],
)
def test_each_fault_is_named_with_its_clause(level: int, raw: str, reason: str) -> None:
    with pytest.raises(MalformedPacketError, match=reason.replace("+", r"\+")) as caught:
        PacketReader(level, LIMIT).feed(bytes.fromhex(raw))
    assert caught.value.clause.startswith("MQTT 5.0 section" if level == 5 else "MQTT 3.1.1 section")
    assert caught.value.evidence


def test_packets_before_a_fault_are_not_lost() -> None:
    good = encode(mqtt5.PublishPacket("a", b"1"), 5)
    reader = PacketReader(5, LIMIT)
    with pytest.raises(MalformedPacketError) as caught:
        reader.feed(good + b"\x00\x00")
    assert [packet.topic for packet in caught.value.packets] == ["a"]
    with pytest.raises(MalformedPacketError) as again:
        reader.feed(good)
    assert again.value.packets == []


def test_a_too_large_packet_is_refused_at_its_header() -> None:
    reader = PacketReader(5, 1000)
    with pytest.raises(PacketTooLargeError, match="limit is 1000"):
        reader.feed(b"\x30\xff\xff\x7f")
    assert reader.pending == 0


def test_the_first_packet_must_be_connect() -> None:
    with pytest.raises(MalformedPacketError, match="not CONNECT"):
        PacketReader(None, LIMIT).feed(b"\xc0\x00")


def test_evidence_never_holds_credentials() -> None:
    good = mqtt5.ConnectPacket("c", username="user", password=b"opensesame").write()
    broken = bytearray(good)
    broken[9] |= 1
    for raw in (bytes(broken), b"POST /opensesame-opensesame HTTP/1.1\r\n\r\n" * 9):
        with pytest.raises(MalformedPacketError) as caught:
            PacketReader(None, LIMIT).feed(raw)
        assert b"opensesame" not in caught.value.evidence
    reader = PacketReader(None, LIMIT)
    reader.feed(good[:-1])
    assert b"sesame" not in reader.evidence


def test_a_large_packet_in_tiny_pieces_is_read_once_complete() -> None:
    raw = encode(mqtt5.PublishPacket("a", b"x" * 65536), 4)
    reader = PacketReader(4, LIMIT)
    read: list[Packet] = []
    for start in range(0, len(raw), 97):
        read += reader.feed(raw[start : start + 97])
    assert [len(packet.payload) for packet in read] == [65536]


def test_the_older_level_is_told_only_what_it_knows() -> None:
    refused = mqtt5.ConnAckPacket(reason_code=mqtt5.ConnAckReasonCode.SERVER_BUSY, session_present=True)
    assert encode(refused, 4) == b"\x20\x02\x00\x03"
    busy = mqtt5.SubAckPacket(7, [mqtt5.SubAckReasonCode.NOT_AUTHORIZED, mqtt5.SubAckReasonCode(1)])
    assert encode(busy, 4) == b"\x90\x04\x00\x07\x80\x01"
    leaving = mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.SERVER_SHUTTING_DOWN)
    assert encode(leaving, 4) == b""
    rich = mqtt5.PublishPacket("a", b"b", content_type="text/plain", message_expiry_interval=4)
    assert encode(rich, 4) == b"\x30\x04\x00\x01ab"
    assert encode(mqtt5.UnsubAckPacket(2, [mqtt5.UnsubAckReasonCode.SUCCESS]), 4) == b"\xb0\x02\x00\x02"


def test_an_empty_auth_packet_is_success() -> None:
    assert PacketReader(5, LIMIT).feed(b"\xf0\x00") == [mqtt5.AuthPacket()]


@st.composite
def repeated(draw: st.DrawFn) -> tuple[int, list[Packet]]:
    """Publishes to two topics, so that most are to one the reader knows already."""
    level = draw(st.sampled_from([4, 5]))
    one = st.builds(
        lambda topic, payload, number, retain, duplicate: mqtt5.PublishPacket(
            topic,
            payload,
            qos=QOS[1] if number else QOS[0],
            packet_id=number or None,
            retain=retain,
            duplicate=duplicate and number > 0,
        ),
        st.sampled_from(["vaka/1/a", "vaka/1/å"]),
        st.sampled_from([b"", b"\0", b"x" * 127, b"x" * 20_000]) | blobs,
        st.integers(0, 65535),
        st.booleans(),
        st.booleans(),
    )
    return level, draw(st.lists(one, min_size=2, max_size=12))


@given(repeated(), st.data())
def test_publishes_to_known_topics_are_read_the_same(
    stream: tuple[int, list[Packet]], data: st.DataObject
) -> None:
    level, written = stream
    raw = b"".join(encode(packet, level) for packet in written)
    cut = data.draw(st.integers(0, len(raw)))
    reader = PacketReader(level, LIMIT)
    assert reader.feed(raw[:cut]) + reader.feed(raw[cut:]) == written


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize(
    "raw",
    [
        "3205000161" + "0000",
        "3803000161",
        "3605000161" + "0001",
        "3204000161" + "00",
        "3002000161",
        "3001" + "00",
    ],
)
def test_a_known_topic_hides_no_fault(level: int, raw: str) -> None:
    reader = PacketReader(level, LIMIT)
    for number in (None, 1):
        qos_of = QOS[0] if number is None else QOS[1]
        reader.feed(encode(mqtt5.PublishPacket("a", b"", qos=qos_of, packet_id=number), level))
    with pytest.raises(MalformedPacketError):
        reader.feed(bytes.fromhex(raw))
