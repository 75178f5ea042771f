"""What people at work see of each other, and the break that they take, in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from gateway.api.passwords import hash_password
from gateway.model.alert import AlertState
from tests.browser.whole_house import House, running

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}
TOUCH_PX = 44
WORD = "correct horse"
STAFF = "ref,teams\nstaff-17,night\nstaff-18,night\n"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()


def user(name: str, role: str = "staff") -> dict[str, object]:
    return {"name": name, "password_hash": hash_password(WORD), "role": role, "teams": ["night"]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    users = [user("staff-17"), user("staff-18"), user("guest"), user("lead", "lead")]
    with running(tmp_path_factory.mktemp("crew"), user=users) as house:
        plan(house)
        yield house


@contextmanager
def lead_of(house: House) -> Iterator[httpx.Client]:
    """Give a client that is signed in as the one who may change plans."""
    with house.client(headers={"Origin": house.url}) as lead:
        lead.post("/login", data={"name": "lead", "password": WORD})
        lead.headers["X-Vaka-Token"] = lead.get("/api/v1/session").json()["forgery_token"]
        yield lead


def plan(house: House) -> None:
    """Bring in two people, who work for two days."""
    now = datetime.now(UTC)
    since, until = (now - timedelta(hours=1)).isoformat(), (now + timedelta(hours=46)).isoformat()
    shifts = "staff,team,since,until\n" + "".join(
        f"{one},night,{since},{until}\n" for one in ("staff-17", "staff-18")
    )
    with lead_of(house) as lead:
        for kind, text in (("staff", STAFF), ("shifts", shifts)):
            told = lead.post(f"/api/v1/people/{kind}", params={"source": kind}, content=text.encode())
            assert told.status_code == 200, told.text


@pytest.fixture(autouse=True)
def nothing_open(whole: House) -> Iterator[None]:
    """Close what a test leaves open, as the lead."""
    yield
    with lead_of(whole) as lead:
        for alert in whole.alerts():
            said = {"outcome": "test", "seen_count": alert.count}
            lead.post(f"/api/v1/alerts/{alert.id}/close", json=said).raise_for_status()


def signed_in(browser: Browser, house: House, name: str, *, script: bool = True) -> Page:
    page = browser.new_context(viewport=PHONE, java_script_enabled=script).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(10_000)
    page.goto(f"{house.url}/login")
    page.get_by_label("Användarnamn").fill(name)
    page.get_by_label("Lösenord").fill(WORD)
    page.get_by_role("button", name="Logga in").click()
    if script:
        expect(page.locator("#link")).to_have_attribute("data-state", "connected", timeout=10_000)
    return page


def on_break(house: House, name: str) -> bool:
    now = datetime.now(UTC)
    return any(one.in_force(now) for one in house.gateway.board.people.breaks_of(name))


def test_who_has_taken_an_alert_stands_on_the_card_of_the_others(browser: Browser, whole: House) -> None:
    one, other = signed_in(browser, whole, "staff-17"), signed_in(browser, whole, "staff-18")
    whole.send("t/sos-1", "alarm.manual")
    one.get_by_text("Framme om …").click()
    one.get_by_role("button", name="15 min").click()
    expect(one.locator("article")).to_contain_text("Du har tagit larmet")
    expect(other.locator("article")).to_contain_text("staff-17 har tagit larmet")
    expect(other.locator("article")).to_contain_text("Framme ")
    expect(other.get_by_role("button", name="Jag tar det")).to_have_count(0)
    one.get_by_role("button", name="På plats").click()
    expect(other.locator("article")).to_contain_text("staff-17 är på plats")
    one.get_by_text("Avsluta …").click()
    one.get_by_role("button", name="Falskt larm").click()
    expect(other.locator("article")).to_have_count(0)
    one.context.close()
    other.context.close()


def test_who_has_an_alert_is_asked_to_answer_when_it_comes_again(browser: Browser, whole: House) -> None:
    one, other = signed_in(browser, whole, "staff-17"), signed_in(browser, whole, "staff-18")
    whole.send("t/gps-1", "alarm.manual")
    one.get_by_role("button", name="På plats").click()
    expect(one.locator("article")).to_contain_text("Avsluta senast om")
    whole.send("t/gps-1", "alarm.manual")
    expect(one.locator("article")).to_contain_text("Larmet kom igen. Svara inom")
    expect(other.locator("article")).to_contain_text("Går vidare om")
    one.get_by_role("button", name="Jag är kvar").click()
    expect(one.locator("article")).to_contain_text("Avsluta senast om")
    one.wait_for_timeout(1600)  # now somebody can have read that it came again
    one.get_by_text("Avsluta …").click()
    one.get_by_role("button", name="Provlarm").click()
    expect(one.locator("article")).to_have_count(0)
    one.context.close()
    other.context.close()


def test_a_break_hands_on_what_one_has_and_is_ended_by_a_press(
    browser: Browser, whole: House, tmp_path: Path
) -> None:
    page = signed_in(browser, whole, "staff-17")
    whole.send("t/sos-2", "alarm.manual")
    page.get_by_role("button", name="Jag tar det").click()
    expect(page.locator("article")).to_contain_text("Du har tagit larmet")
    page.get_by_text("Ta rast …").click()
    for one in page.locator("#rest button, #rest summary").all():
        box = one.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= TOUCH_PX
    page.locator("#rest").get_by_role("button", name="30 min").click()
    expect(page.locator("#rest")).to_contain_text("Du har rast till ")
    expect(page.get_by_role("button", name="Jag är tillbaka")).to_be_focused()
    assert on_break(whole, "staff-17")
    expect(page.locator("article")).to_contain_text("Ingen har tagit larmet")
    handed = whole.alert("sos")
    assert (handed.state, handed.asked) == (AlertState.OFFERED, ("staff-18",))
    page.screenshot(path=str(tmp_path / "break.png"))
    page.get_by_role("button", name="Jag är tillbaka").click()
    expect(page.locator("#rest")).to_contain_text("Ta rast …")
    assert not on_break(whole, "staff-17")
    page.get_by_text("Avsluta …").click()
    page.get_by_role("button", name="Provlarm").click()
    expect(page.locator("article")).to_have_count(0)
    page.context.close()


def test_a_break_is_taken_and_ended_without_a_script_in_english(browser: Browser, whole: House) -> None:
    page = signed_in(browser, whole, "staff-18", script=False)
    page.get_by_role("link", name="In English").click()
    page.get_by_text("Take a break …").click()
    page.get_by_role("button", name="15 min").last.click()
    expect(page.locator("#rest")).to_contain_text("You have a break until ")
    assert on_break(whole, "staff-18")
    page.get_by_role("button", name="I am back").click()
    expect(page.locator("#rest")).to_contain_text("Take a break …")
    assert not on_break(whole, "staff-18")
    page.context.close()


def test_who_is_not_on_the_plan_is_offered_no_break(browser: Browser, whole: House) -> None:
    page = signed_in(browser, whole, "guest")
    expect(page.locator("#rest")).to_have_count(0)
    page.context.close()


def test_a_reason_is_not_lost_when_the_alert_changes_while_it_is_written(
    browser: Browser, whole: House
) -> None:
    whole.send("t/lock-1", "lock.jammed")
    page = signed_in(browser, whole, "staff-17")
    page.goto(f"{whole.url}/alerts/{whole.alert('lock_jammed').id}")
    page.get_by_text("Fler svar").click()
    page.locator("form[action$=decline]").get_by_role("textbox").fill("hos en annan")
    other = signed_in(browser, whole, "staff-18")
    other.get_by_role("button", name="Jag tar det").click()
    expect(page.locator("article")).to_contain_text("staff-18 har tagit larmet")
    expect(page.locator(".history")).to_contain_text("Togs av staff-18")
    form = page.locator("form[action$=decline]")
    expect(form.get_by_role("textbox")).to_have_value("hos en annan")
    other.get_by_role("button", name="Lämna tillbaka").click()
    form.get_by_role("button").click()
    expect(page.locator("#toast")).to_have_text("Svaret är noterat.")
    expect(page.locator(".history")).to_contain_text("Kan inte staff-17")
    page.context.close()
    other.context.close()
