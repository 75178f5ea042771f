"""What a testbed engineer sees: devices, their health, and the guided check of a new one."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.whole_house import House, running
from tests.integration.refusing_receiver import refusing

pytestmark = pytest.mark.browser

WIDTHS = (390, 1200)
TOUCH_PX = 44
SHOTS = os.environ.get("VAKA_SCREENSHOTS")
AXE = Path(__file__).parents[1] / "validators/node_modules/axe-core/axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
NEW = "t/new-1"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Run a gateway with a heard, an unknown and a new device, whose protocol is signed already."""
    with (
        refusing() as (_, taps),
        running(tmp_path_factory.mktemp("engineer"), taps=taps) as found,
        found.browser_like() as client,
    ):
        for name in (NEW, "t/signed-1"):
            body = {"id": name, "adapter": "vaka", "native_id": name, "kind": "social_alarm"}
            body |= {"home": "home-empty", "model": "Pendant 4"}
            client.post("/api/v1/devices", json=body).raise_for_status()
        say(client, "t/signed-1", "open")
        found.send("t/signed-1", "alarm.manual", presses=1, battery_percent=81)
        alert = client.get("/api/v1/devices/t/signed-1/check").json()["alerts"][0]["alert"]
        say(client, "t/signed-1", "confirm", alert=alert, seen_count=1)
        say(client, "t/signed-1", "sign")
        found.send("t/lock-1", "lock.locked", battery_percent=64)
        found.send("t/unknown-1", "alarm.manual", presses=1)
        found.send("t/lock-1", "lock.jammed")
        found.wait(lambda: found.gateway.taps.report()["records"]["dead_letters"] == 1)
        yield found


def say(client: Any, device: str, word: str, **body: Any) -> None:
    client.post(f"/api/v1/devices/{device}/check/{word}", json=body).raise_for_status()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a page that may not say a single error in its console, and may not break the policy."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page, faults = context.new_page(), list[str]()
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Policy" in said.text else None)
    yield page
    context.close()
    assert not faults


def shoot(page: Page, name: str, folder: Path) -> None:
    target = Path(SHOTS) if SHOTS else folder
    target.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(target / f"{name}.png"), full_page=True)


def test_a_device_is_checked_by_following_the_page(house: House, page: Page, tmp_path: Path) -> None:
    page.goto(f"{house.url}/devices/{NEW}#check")
    page.get_by_role("button", name="Starta kontrollen").click()
    prompt = page.locator(".check-prompt")
    expect(prompt).to_have_text("Tryck på larmknappen nu")
    expect(page.locator("#link")).to_have_attribute("data-state", "connected")
    shoot(page, "check-asked-390", tmp_path)
    house.send(NEW, "alarm.manual", presses=1, battery_percent=81)
    test = page.get_by_role("button", name="Det var ett prov")
    expect(test).to_be_visible()
    expect(page.get_by_text("Bara du har larmet")).to_be_visible()
    expect(prompt).to_have_text("Alla handgrepp är gjorda")
    expect(page.locator("#check-said")).to_contain_text("Klart: Tryck på larmknappen nu")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 844})
        shoot(page, f"check-alarm-{width}", tmp_path)
    box = test.bounding_box()
    assert box is not None
    assert box["height"] >= TOUCH_PX
    test.focus()
    page.keyboard.press("Enter")
    expect(test).to_have_count(0)
    page.get_by_role("button", name="Signera").click()
    expect(page.locator("#check")).to_contain_text("Godkänd")
    page.get_by_role("link", name="Protokoll 1").click()
    expect(page.locator(".signed")).to_contain_text("Signerat av local")


def test_what_stands_under_the_fingers_stays_while_the_list_is_drawn_anew(house: House, page: Page) -> None:
    with house.browser_like() as client:
        say(client, "t/lock-1", "open")
        page.goto(f"{house.url}/devices/t/lock-1/check")
        reason = page.get_by_label("Skäl").first
        reason.fill("no battery in it")
        house.send("t/lock-1", "lock.unlocked")
        house.send("t/lock-1", "lock.locked")
        expect(page.locator(".check-prompt")).to_have_text("Lås upp dörren nu")
        expect(reason).to_have_value("no battery in it")
        expect(reason).to_be_focused()
        say(client, "t/lock-1", "give_up", reason="another day")
        expect(page.locator("#check")).to_contain_text("Avbröts")


PAGES = {
    "devices": "/devices",
    "fleet": "/fleet",
    "device": "/devices/t/signed-1",
    "protocol": "/devices/t/signed-1/protocol/1",
    "interface": "/interface/",
    "taps": "/taps",
    "check": "/devices/t/camera-1/check",
}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_the_screen_and_has_no_fault_of_wcag(
    house: House, page: Page, name: str, tmp_path: Path
) -> None:
    with house.browser_like() as client:
        if name == "check":
            say(client, "t/camera-1", "open")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 844})
            page.goto(house.url + PAGES[name])
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            shoot(page, f"{name}-{width}", tmp_path)
            assert over <= 0, width
        assert page.locator("h1").count() == 1
        found = faults(page)
        if name == "check":
            say(client, "t/camera-1", "give_up", reason="seen")
    assert found == []


def faults(page: Page) -> list[str]:
    """Return the faults that axe finds in a page; the test ends here where it is not installed."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: sh scripts/node-packages tests/validators")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    told = page.evaluate("(tags) => axe.run({ runOnly: tags })", WCAG)
    return [f"{one['id']}: {node['html'][:120]}" for one in told["violations"] for node in one["nodes"]]
