"""An alert that is closed in the app, in a real browser, stands whole in the care system."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from simulators.standins.care import CareStandIn
from simulators.standins.server import served
from tests.browser.whole_house import registry_file
from tests.integration.gateway_process import GatewayProcess
from tests.integration.test_care_gateway import WHOLE, App, kinds_of, until

pytestmark = pytest.mark.browser

NOTE = "ramlat i köket, hjälpt upp"


def clicked_through(url: str) -> None:
    """Take the alert, be on site, write a note and close it, as a carer does on a phone."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 360, "height": 740})
        page.goto(url)
        card = page.locator("article")
        card.get_by_role("button", name="Jag tar det").click()
        expect(card).to_contain_text("Du har tagit larmet")
        card.get_by_role("button", name="På plats").click()
        expect(card).to_contain_text("Du är på plats")
        card.get_by_text("Avsluta …").click()
        card.get_by_label("Anteckning", exact=False).fill(NOTE)
        card.get_by_role("button", name="Riktigt larm").click()
        expect(page.locator("article")).to_have_count(0)
        browser.close()


def test_closing_an_alert_in_the_app_leaves_nothing_to_type_into_the_care_system(tmp_path: Path) -> None:
    stand_in = CareStandIn(tmp_path / "care")
    with served(stand_in.app) as url:
        gateway = GatewayProcess(
            tmp_path,
            registry=str(registry_file(tmp_path)),
            watch={"round_trip": False},
            **{"taps.care": [{"kind": "http", "url": url}]},
        )
        gateway.start()
        try:
            alert = App(gateway).press("t/sos-1")
            clicked_through(f"http://127.0.0.1:{gateway.page_port}/")
            until(lambda: kinds_of(stand_in, alert) == WHOLE, gateway.log)
        finally:
            gateway.stop()
        manual = httpx.get(f"{url}/manual").json()
    stand_in.close()
    closed = stand_in.records[f"alert-{alert}-closed"]
    assert (closed["outcome"], closed["note"]) == ("real", NOTE)
    assert closed["person"] == "person-17"
    assert manual == {"count": 0, "entries": []}
