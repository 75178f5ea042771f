"""`vaka fleet`, `vaka command` and `vaka configure` against a whole running gateway."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.__main__ import app
from gateway.api.passwords import new_token
from tests.browser.whole_house import House, running


@pytest.fixture(scope="module")
def token() -> tuple[str, str]:
    return new_token()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, token: tuple[str, str]) -> Iterator[House]:
    scopes = ["devices:read", "devices:write", "devices:command"]
    given = [{"name": "tool", "token_hash": token[1], "scopes": scopes}]
    with running(tmp_path_factory.mktemp("tool"), token=given) as found:
        yield found


@pytest.fixture
def vaka(house: House, token: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> "Vaka":
    monkeypatch.setenv("VAKA_TOKEN", token[0])
    return Vaka(house.gateway.page)


class Vaka:
    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--url", self.url])


def test_a_command_is_given_and_its_steps_are_told(vaka: Vaka) -> None:
    given = vaka("command", "t/lock-1", "unlock", "--reason", "visit", "--no-wait")
    assert given.exit_code == 0, given.output
    assert "requested" in given.stdout
    late = vaka("command", "t/lock-1", "lock", "--reason", "evening", "--within-s", "1")
    assert (late.exit_code, "expired" in late.stdout) == (1, True)


def test_what_is_refused_is_one_line_with_the_reason(vaka: Vaka) -> None:
    refused = vaka("command", "t/sos-1", "unlock", "--reason", "x")
    assert refused.exit_code != 0
    assert "cannot unlock" in refused.output
    assert "Traceback" not in refused.output


def test_a_configuration_is_set_from_a_file_and_told(vaka: Vaka, tmp_path: Path) -> None:
    file = tmp_path / "lock.json"
    file.write_text('{"heartbeat_s": 900}')
    assert "revision 1 is set" in vaka("configure", "t/lock-1", str(file), "--reason", "winter").stdout
    assert json.loads(vaka("configure", "t/lock-1").stdout)["desired"]["heartbeat_s"] == 900


def test_the_fleet_is_told_from_the_data_directory_while_the_gateway_runs(house: House) -> None:
    house.send("t/sos-1", "heartbeat", battery_percent=8)
    data = str(house.gateway.settings.data_dir)
    told = CliRunner().invoke(app, ["fleet", "--data", data])
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("bad      t/sos-1  heard ")
    assert "battery 8 %, forecast unknown" in told.stdout
    found = json.loads(CliRunner().invoke(app, ["fleet", "--data", data, "--json", "--grade", "bad"]).stdout)
    assert [one["device"] for one in found] == ["t/sos-1"]
    assert "6 devices" in CliRunner().invoke(app, ["fleet", "--data", data, "--products"]).stdout
    assert CliRunner().invoke(app, ["fleet", "--data", data, "--grade", "else"]).exit_code == 2
