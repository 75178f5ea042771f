"""The open interface as a running gateway gives it to everybody, and its quick starts as they stand."""

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from openapi_spec_validator import validate
from test_vendor_node import FOLDER, node

from gateway.interface.documents import published
from simulators.files import read_passwords, write_municipality
from simulators.municipality import make_municipality
from tests.browser.whole_house import House, running
from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import wait_for
from tests.integration.test_firmware_gateway import turned

DEVICE = "demo/lock-001"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture
def nobody(house: House) -> Iterator[httpx.Client]:
    with house.client() as client:
        yield client


def test_documents_are_given_without_a_login(nobody: httpx.Client) -> None:
    paths = [path for path in published() if "/event/" not in path] + ["v1/schema/event/lock.locked.json"]
    for path in paths:
        text = published()[path]
        answer = nobody.get(f"/interface/{path}")
        assert answer.status_code == 200, path
        assert answer.text == text


@pytest.mark.parametrize(
    "folder", ["/interface", "/interface/v1", "/interface/v1/schema", "/interface/v1/examples"]
)
def test_a_folder_leads_to_its_index(nobody: httpx.Client, folder: str) -> None:
    first = nobody.get(folder)
    assert (first.status_code, first.headers["location"]) == (307, f"{folder}/")
    answer = nobody.get(f"{folder}/")
    assert answer.headers["content-type"].startswith("text/html")


def test_a_page_allows_its_own_style_and_no_script(nobody: httpx.Client) -> None:
    policy = nobody.get("/interface/v1/").headers["content-security-policy"]
    assert "script" not in policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert nobody.get("/login").headers["content-security-policy"] != policy


def test_the_catalogue_shows_the_adapters_that_are_loaded_and_the_products_that_were_tested(
    house: House, nobody: httpx.Client
) -> None:
    assert "No report of the conformance kit" in nobody.get("/interface/adapters").text
    report = {
        "form": "vaka-conformance-report/1",
        "interface": "vaka/1",
        "verdict": "pass",
        "counterpart": "served",
        "device": {"vendor": "A <maker>", "product": "P", "firmware": "9", "kind": "lock"},
        "kit": {"version": "0.1.0"},
        "ended_at": "2026-11-23T02:00:00Z",
        "clauses": [{"level": "must", "verdict": "pass"}, {"level": "should", "verdict": "fail"}],
    }
    folder: Path = house.gateway.settings.data_dir / "conformance"
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps(report))
    (folder / "two.json").write_text("{no report")
    page = nobody.get("/interface/adapters").text
    assert "A &lt;maker&gt;" in page
    assert "must: 1 pass" in page
    assert 'id="owntracks"' in page


def test_a_document_that_is_not_there_is_not_found(nobody: httpx.Client) -> None:
    assert nobody.get("/interface/v9/index.html").status_code == 404
    assert nobody.get("/interface/../../etc/passwd").status_code == 404


def test_the_api_describes_itself_validly(house: House) -> None:
    with house.browser_like() as page:
        validate(page.get("/api/v1/openapi.json").json())


@pytest.mark.parametrize("language", ["python", "node"])
def test_the_quick_start_of_the_page_works_as_it_stands(language: str, tmp_path: Path) -> None:
    """Only host, port, user and password are filled in, and TLS is left out, for it is on loopback."""
    fence = {"python": "python", "node": "javascript"}[language]
    (text,) = re.findall(rf"```{fence}\n(.*?)```", published()["v1/index.md"], flags=re.DOTALL)
    runner = sys.executable if language == "python" else node()
    write_municipality(make_municipality(5, 1), tmp_path)
    password = read_passwords(tmp_path)[DEVICE]
    gateway = GatewayProcess(tmp_path, registry=str(tmp_path / "registry.toml"))
    gateway.start()
    try:
        ours = f'"127.0.0.1", {gateway.listener_port}, "{DEVICE}", "{password}"'
        for before, after in (
            ('"gateway.example.org", 8883, "house-17-lock", "..."', ours),
            ('"kommun/d17"', f'"{DEVICE}"'),
            ('client.tls_set("ca.pem")\n', "\n"),
            ("mqtts://", "mqtt://"),
            (', ca: readFileSync("ca.pem")', ""),
        ):
            text = text.replace(before, after)
        place = tmp_path / ("start.py" if language == "python" else "start.mjs")
        if language == "node":
            (tmp_path / "node_modules").symlink_to(FOLDER / "node_modules")
        place.write_text(textwrap.dedent(text))
        done = subprocess.run(
            [runner, str(place)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        wait_for(lambda: turned(gateway.data) == ["lock.locked"])
    finally:
        gateway.stop()
