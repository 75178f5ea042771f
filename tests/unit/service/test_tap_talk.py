"""Tap talk: settings arrive as they were, secrets included, and a line is a line."""

import pytest
from pydantic import SecretStr

from gateway.sections import Section
from gateway.service.tap_talk import ASKED, SAID, Again, Answered, Asked, Unfit, line_of, revealed
from gateway.tap_settings import TapSettings

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"


def test_settings_arrive_as_they_were_with_every_secret() -> None:
    written = TapSettings.model_validate(
        {
            "influx": [{"url": "https://influx.example.org", "token": "t1", "positions": True}],
            "cloudevents": [
                {"name": "hook", "url": "https://x.example.org", "secret": SECRET, "types": ["alert."]},
                {"name": "bus", "url": "mqtts://x.example.org", "username": "u", "password": "p"},
            ],
            "care": [{"kind": "file", "folder": "/drop", "format": "csv", "tenants": ["t"]}],
            "fhir": [{"url": "https://fhir.example.org", "token": "t2"}],
        }
    )
    arrived = TapSettings.model_validate_json(bytes(revealed(written)))
    assert arrived == written
    assert arrived.cloudevents[1].password == SecretStr("p")
    assert "t1" not in repr(arrived)


def test_what_cannot_be_written_is_an_error_and_never_a_masked_secret() -> None:
    class Odd(Section):
        thing: object

    with pytest.raises(NotImplementedError, match="complex"):
        revealed(Odd(thing=1j))


def test_words_survive_the_line() -> None:
    for words in (Asked(3, Again("hook", 7)),):
        assert ASKED.decode(line_of(words)) == words
    for said in (Answered(number=3, refused="a\nb"), Unfit("no")):
        assert line_of(said).count(b"\n") == 1
        assert SAID.decode(line_of(said)) == said
