"""A wrong configuration is told in one line: where, which key, what was found, what is allowed."""

import re
from pathlib import Path

import pytest

from gateway.config import is_loopback, load_registry, load_settings
from gateway.contract import ConfigurationError

ROOT = Path(__file__).parents[2]
SECRET = "correct-horse-battery"

BROKER = '[[broker]]\nname = "{name}"\nurl = "{url}"\n'
PHONE = f"""[channels]
public_url = "https://localhost"
[channels.phone]
username = "u"
password = "{SECRET}"
"""
BROKEN = {
    "an unknown key": ("[listener]\nprot = 1884\n", "listener.prot", "a key that does not exist"),
    "a wrong type": ('[limits]\ncommit_batch = "many"\n', "limits.commit_batch", "'many'"),
    "a port out of range": ("[listener]\nport = 70000\n", "listener.port", "70000"),
    "an open api without users": ('[api]\nhost = "0.0.0.0"\n', "api.host", "'0.0.0.0'"),
    "an open listener without credentials": (
        '[listener]\nhost = "::"\nanonymous = true\n',
        "listener.anonymous",
        "true on '::'",
    ),
    "a broker address with a password": (
        BROKER.format(name="a", url=f"mqtt://vaka:{SECRET}@broker.example:1883"),
        "broker.0.url",
        "'mqtt://***@broker.example:1883'",
    ),
    "a Bluetooth address that is none": (
        '[[ble.device]]\naddress = "F0:00"\nprofile = "vaka"\n',
        "ble.device.0.address",
        "'F0:00'",
    ),
    "two Bluetooth devices with one address": (
        2 * '[[ble.device]]\naddress = "f0:00:00:00:00:01"\nprofile = "vaka"\n',
        "ble.device.address",
        "'F0:00:00:00:00:01' more than once",
    ),
    "an open SIP port without users": ('[sip]\nenabled = true\nhost = "0.0.0.0"\n', "sip.host", "'0.0.0.0'"),
    "SIP over TLS without a certificate": (
        "[sip]\ntls_port = 5061\n",
        "sip.tls_port",
        "one of tls_port and tls",
    ),
    "a network that is none": ('[sip]\ntrusted = ["10.20"]\n', "sip.trusted.0", "'10.20'"),
    "an open port for panels": ('[dc09]\nenabled = true\nhost = "::"\n', "dc09.host", "'::'"),
    "an alarm centre whose replies cannot come in": (
        '[channels.scaip]\ncid = "1"\nrecipients = ["a"]\ncentre = [{ uri = "sip:arc.example" }]\n',
        "sip.enabled",
        "false",
    ),
    "an adapter that no system has": ('[ble]\nadapter = "usb0"\n', "ble.adapter", "'usb0'"),
    "a broker address that is not MQTT": (
        BROKER.format(name="a", url="http://broker.example"),
        "broker.0.url",
        "'http://broker.example'",
    ),
    "a broker port out of range": (
        BROKER.format(name="a", url="mqtt://broker.example:99999"),
        "broker.0.url",
        "'mqtt://broker.example:99999'",
    ),
    "two brokers with one name": (
        2 * BROKER.format(name="a", url="mqtt://broker.example"),
        "broker.name",
        "'a' more than once",
    ),
    "a broker without an address": ('[[broker]]\nname = "a"\n', "broker.0.url", "nothing"),
    "a section that is no table": ("listener = 1883\n", "listener", "a value of the type int"),
    "a secret of the wrong type": (
        f'[[api.user]]\nname = "anna"\npassword_hash = ["{SECRET}"]\n',
        "api.user.0.password_hash",
        "a value of the type list",
    ),
    "a provider that cannot report back": (
        f'[channels.phone]\nusername = "u"\npassword = "{SECRET}"\n',
        "channels.public_url",
        "nothing",
    ),
    "a public address that the pages refuse": (
        '[channels]\npublic_url = "https://vaka.example"\n',
        "channels.public_url",
        "'https://vaka.example'",
    ),
    "an unprotected service": (
        PHONE + 'url = "http://other.example/a1"\n',
        "channels.phone.url",
        "'http://other.example/a1'",
    ),
    "a service address with a password": (
        f'[channels]\npublic_url = "https://u:{SECRET}@vaka.example"\n',
        "channels.public_url",
        "'https://***@vaka.example'",
    ),
    "a webhook secret of another form": (
        f'[channels.webhook]\nurl = "https://other.example/in"\nsecret = "whsec_{SECRET}"\n',
        "channels.webhook.secret",
        "*** (not shown)",
    ),
    "mail in the clear": (
        '[channels.email]\nhost = "mail.example"\nsender = "a@b.example"\nsecurity = "none"\n',
        "channels.email.security",
        "'none' to 'mail.example'",
    ),
    "half a login": (
        '[channels.email]\nhost = "mail.example"\nsender = "a@b.example"\nusername = "vaka"\n',
        "channels.email.username",
        "one of username and password",
    ),
    "a caller that is no number": (
        PHONE + 'voice_from = "Vaka"\n',
        "channels.phone.voice_from",
        "'Vaka'",
    ),
    "an unknown role": (
        f'[[api.user]]\nname = "anna"\npassword_hash = "{SECRET}"\nrole = "king"\n',
        "api.user.0.role",
        "'king'",
    ),
}


def message_of(path: Path, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as told:
        load_settings(path, environment or {})
    assert told.value.__context__ is None or SECRET not in repr(told.value.__context__)
    return str(told.value)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    text, key, found = BROKEN[name]
    path = tmp_path / "vaka.toml"
    path.write_text(text)

    message = message_of(path)

    assert message.startswith(f"{path}: {key}: found {found}; allowed: ")
    assert re.search(r"allowed: [\w']", message)
    assert "\n" not in message
    assert SECRET not in message


@pytest.mark.parametrize("name", BROKEN)
def test_vaka_check_prints_the_one_line_and_fails(name: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from gateway.__main__ import app

    path = tmp_path / "vaka.toml"
    path.write_text(BROKEN[name][0])

    result = CliRunner(env={"VAKA_LOG": None}).invoke(app, ["check", "--config", str(path)])

    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(f"{path}: {BROKEN[name][1]}: found ")


def test_every_fault_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "vaka.toml"
    path.write_text('colour = "red"\n[api]\nport = -1\nlanguage = "fi"\n')

    assert [line.split(": ")[1] for line in message_of(path).splitlines()] == [
        "api.port",
        "api.language",
        "colour",
    ]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "no such file"),
        (b"[listener\n", "a fault in the TOML: "),
        (b'data_dir = "\xff"\n', "a byte that is not UTF-8 at offset 12"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(
    content: bytes | None, found: str, tmp_path: Path
) -> None:
    path = tmp_path / "vaka.toml"
    if content is not None:
        path.write_bytes(content)

    message = message_of(path)

    assert message.startswith(f"{path}: found {found}")
    assert message.endswith("; allowed: a TOML file in UTF-8")
    assert "\n" not in message


def test_a_folder_in_the_place_of_the_file_is_told_in_one_line(tmp_path: Path) -> None:
    assert message_of(tmp_path).startswith(f"{tmp_path}: found a file that cannot be read (")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("VAKA_API__PORT", "eighty", "environment VAKA_API__PORT: api.port: found 'eighty'; allowed: "),
        ("VAKA_PORT", "80", "environment VAKA_PORT: port: found a key that does not exist; allowed: "),
        ("VAKA_BROKER__0__PASSWORD", SECRET, "environment VAKA_BROKER__0__PASSWORD: broker: found "),
        (
            "VAKA_LISTENER",
            "on",
            "environment VAKA_LISTENER: listener: found a value of the type str; allowed: ",
        ),
    ],
)
def test_a_wrong_environment_variable_is_told_by_its_name(
    name: str, value: str, line: str, tmp_path: Path
) -> None:
    path = tmp_path / "vaka.toml"
    path.write_text("")

    message = message_of(path, {name: value, "HOME": "/"})

    assert message.startswith(line)
    assert SECRET not in message
    assert "\n" not in message


def test_an_environment_variable_below_a_plain_value_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "vaka.toml"
    path.write_text('data_dir = "var"\n')

    message = message_of(path, {"VAKA_DATA_DIR__DEEPER": "1"})

    assert message.startswith("environment VAKA_DATA_DIR__DEEPER: found no such place; allowed: ")


def test_the_environment_lies_over_the_file_and_reaches_into_lists(tmp_path: Path) -> None:
    path = tmp_path / "vaka.toml"
    path.write_text("[api]\nport = 1\n" + BROKER.format(name="a", url="mqtt://broker.example"))

    settings = load_settings(
        path,
        {
            "VAKA_API__PORT": "8081",
            "VAKA_BROKER__0__PASSWORD": SECRET,
            "VAKA_ADAPTERS": '["vaka", "nuki"]',
            "VAKA_LOG": "DEBUG",
        },
    )

    assert settings.api.port == 8081
    assert settings.adapters == ("vaka", "nuki")
    password = settings.broker[0].password
    assert password is not None
    assert password.get_secret_value() == SECRET
    assert SECRET not in repr(settings)


def test_without_file_and_environment_the_gateway_listens_on_loopback_only() -> None:
    settings = load_settings(None, {})

    assert is_loopback(settings.api.host)
    assert is_loopback(settings.listener.host)
    assert not settings.listener.anonymous


HOME = """
[[tenant]]
id = "t"
name = "Tenant"
[[unit]]
id = "u"
tenant = "t"
name = "Unit"
[[team]]
id = "g"
unit = "u"
name = "Team"
[[ladder]]
id = "l"
tenant = "t"
steps = [{ to = ["g"] }]
[[home]]
id = "h"
tenant = "t"
unit = "u"
care_ladder = "l"
technical_ladder = "l"
[[device]]
id = "d"
tenant = "t"
adapter = "vaka"
native_id = "d"
kind = "lock"
"""
DANGLING = {
    "a person in a home that is missing": (
        '[[person]]\nref = "p"\nhome = "x"\n',
        "person p: home: found 'x'",
    ),
    "an enrolment of a device that is missing": (
        '[[enrolment]]\ndevice = "x"\nhome = "h"\nsince = 2026-01-01T00:00:00Z\n',
        "enrolment x: device: found 'x'",
    ),
    "a ladder to a team that is missing": (
        '[[ladder]]\nid = "m"\ntenant = "t"\nsteps = [{ to = ["x"] }]\n',
        "ladder m: steps.to: found 'x'",
    ),
    "a doubled device": (
        '[[device]]\nid = "d"\ntenant = "t"\nadapter = "vaka"\nnative_id = "e"\nkind = "lock"\n',
        "device: id: found 'd' twice",
    ),
    "an enrolment without an offset": (
        '[[enrolment]]\ndevice = "d"\nhome = "h"\nsince = 2026-01-01T00:00:00\n',
        "enrolment.0: found a value of the type dict; allowed: since needs an offset",
    ),
}


@pytest.mark.parametrize("name", DANGLING)
def test_a_registry_that_does_not_hold_together_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    text, line = DANGLING[name]
    path = tmp_path / "registry.toml"
    path.write_text(HOME + text)

    with pytest.raises(ConfigurationError) as told:
        load_registry(path)

    assert str(told.value).startswith(f"{path}: {line}")
    assert "; allowed: " in str(told.value)
    assert "\n" not in str(told.value)


def test_a_missing_registry_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="found no such file; allowed: a TOML file in UTF-8"):
        load_registry(tmp_path / "registry.toml")


def test_the_example_files_load() -> None:
    settings = load_settings(ROOT / "deploy" / "vaka.example.toml", {})
    registry = load_registry(ROOT / "deploy" / "registry.example.toml")

    assert settings.registry is not None
    assert registry.devices
    assert all(registry.devices_of(home) for home in registry.homes)
