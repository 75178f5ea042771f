"""What an alarm centre's reply is, and that looking for it costs no time whatever a stranger sends."""

import pytest

from gateway.notifiers.scaip import MAX_REPLY_BYTES, reply_in


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<mrs><ref>ab1</ref><snu>0</snu></mrs>", ("ab1", "0")),
        (b"<?xml version='1.0'?><mrs v='1'><snu> 07 </snu><ref> ab1 </ref></mrs>", ("ab1", "7")),
        (b"<mrq><ref>ab1</ref><snu>0</snu></mrq>", ("", "")),
        (b"<mrs><ref>ab1</ref></mrs>", ("", "")),
        (b"<mrs>" + b" " * MAX_REPLY_BYTES + b"<ref>ab1</ref><snu>0</snu></mrs>", ("", "")),
        (b"", ("", "")),
    ],
)
def test_a_reply_is_an_mrs_with_reference_and_number_in_any_order(body: bytes, told: tuple[str, str]) -> None:
    assert reply_in(body) == told


@pytest.mark.parametrize("piece", [b"<mrs>", b"<mrs><ref>a</ref>", b"<ref>a</ref><mrs ", b"<mrs><ref>   "])
def test_a_body_made_to_be_slow_is_looked_through_at_once(piece: bytes) -> None:
    """What it was before, three quantifiers one in the other, took hours for one such body."""
    for size in (MAX_REPLY_BYTES, 64 * 1024):
        assert reply_in((piece * size)[:size]) == ("", "")
