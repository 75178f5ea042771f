"""XML from strangers: no document type, bounded, and forgiving about one undeclared encoding."""

import pytest

from gateway.contract.markup import MAX_DEPTH, MAX_ELEMENTS, read_markup


def test_prefixes_are_dropped_and_text_is_joined() -> None:
    root = read_markup(b'<a:x b:c="1"><y> one <z/>two</y></a:x>')
    assert (root.name, root.attributes, root.words("y")) == ("x", {"c": "1"}, "one two")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "aaaaaaaa">]><x>&a;</x>', "document type"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "document type"),
        (b"<x>&a;</x>", "undefined entity"),
        (b"<x>" * (MAX_DEPTH + 1), "too deep"),
        (b"<x>" + b"<y/>" * MAX_ELEMENTS + b"</x>", "too many"),
        (b"", "no element"),
        (b"<x>\xe5</x>", "not well-formed"),
        (b'<?xml version="1.0" encoding="no-such"?><x/>', "unknown encoding"),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_markup(payload)


def test_an_encoding_that_nobody_declared_is_tried_when_it_is_named() -> None:
    assert read_markup("<x>Kök</x>".encode("iso-8859-1"), fallback="iso-8859-1").text == "Kök"
