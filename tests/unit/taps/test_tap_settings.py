"""A mistake in the settings of a tap is one line that names file, key, what was found and what is allowed."""

from pathlib import Path

import pytest

from gateway.config import load_settings
from gateway.contract import ConfigurationError

HIDDEN = "whsec_c2hvcnQ="
INFLUX, EVENTS = "[[taps.influx]]\n", '[[taps.cloudevents]]\nname = "out"\n'
MISTAKES = {
    "no address": (INFLUX, "taps.influx.0.url"),
    "unencrypted to another machine": (INFLUX + 'url = "http://influx.example.org"\n', "taps.influx.0.url"),
    "a password in the address": (INFLUX + 'url = "https://u:p@influx.example.org"\n', "taps.influx.0.url"),
    "an unknown key": (INFLUX + 'url = "https://x.example.org"\nbuckets = "b"\n', "taps.influx.0.buckets"),
    "no secret": (EVENTS + 'url = "https://x.example.org"\n', "taps.cloudevents.0.secret"),
    "a short secret": (
        EVENTS + f'url = "https://x.example.org"\nsecret = "{HIDDEN}"\n',
        "taps.cloudevents.0.secret",
    ),
    "a broker unencrypted": (EVENTS + 'url = "mqtt://broker.example.org"\n', "taps.cloudevents.0.url"),
    "a broker without a name": (EVENTS + 'url = "mqtts://"\n', "taps.cloudevents.0.url"),
    "a wildcard in the topic": (
        EVENTS + 'url = "mqtts://broker.example.org"\ntopic = "out/#"\n',
        "taps.cloudevents.0.topic",
    ),
    "a severity nobody knows": (
        EVENTS + 'url = "mqtts://broker.example.org"\nseverities = ["urgent"]\n',
        "taps.cloudevents.0.severities.0",
    ),
    "one name twice": (
        f'{INFLUX}name = "out"\nurl = "https://x.example.org"\n{EVENTS}url = "mqtts://b.example.org"\n',
        "taps.name",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    text, key = MISTAKES[name]
    path = tmp_path / "vaka.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as told:
        load_settings(path, {})
    message = str(told.value)
    assert message.startswith(f"{path}: {key}: found "), message
    assert "; allowed: " in message
    assert "\n" not in message
    assert HIDDEN not in message
