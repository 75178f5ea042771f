"""What carers see and press, in a real browser over a whole running gateway."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from gateway.model.alert import AlertState, Outcome
from tests.browser.whole_house import House, running

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}
TOUCH_PX = 48
SHOTS = os.environ.get("VAKA_SCREENSHOTS")

Opened = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture
def house(whole: House) -> House:
    """Give the gateway with every alert of an earlier test closed."""
    whole.close_all()
    return whole


@pytest.fixture
def opened(browser: Browser, house: House) -> Iterator[Opened]:
    """Open pages that may not say a single error in their console, and may not break the policy."""
    contexts, faults = [], []

    def opener(path: str = "/", *, live: bool = True, **options: object) -> Page:
        context = browser.new_context(viewport=PHONE, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Policy" in said.text else None)
        page.goto(house.url + path)
        if live:
            expect(page.locator("#link")).to_have_attribute("data-state", "connected", timeout=10_000)
        return page

    yield opener
    for context in contexts:
        context.close()
    assert not faults


def shoot(page: Page, name: str, folder: Path) -> None:
    target = Path(SHOTS) if SHOTS else folder
    target.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(target / f"{name}.png"))


def test_an_alert_appears_by_itself_and_is_taken_visited_and_closed_by_clicking(
    house: House, opened: Opened
) -> None:
    page = opened()
    expect(page.get_by_text("Inga larm om personer")).to_be_visible()
    house.send("t/sos-1", "alarm.manual", presses=8)
    card = page.locator("article")
    expect(card).to_contain_text("Larmknappen är tryckt")
    expect(card).to_contain_text("8 tryck")
    expect(card).to_contain_text("Ingen har tagit larmet")
    expect(page).to_have_title("(1) Larm · Vaka")
    expect(page.locator("#said")).to_have_text("Nytt larm: Hög. Larmknappen är tryckt. home-17")

    card.get_by_role("button", name="Jag tar det").click()
    expect(card).to_contain_text("Du har tagit larmet")
    assert house.alert("sos").state is AlertState.ACCEPTED
    card.get_by_role("button", name="På plats").click()
    expect(card).to_contain_text("Du är på plats")
    assert house.alert("sos").state is AlertState.ON_SITE

    alert = house.alert("sos").id
    card.get_by_text("Avsluta …").click()
    card.get_by_role("button", name="Falskt larm").click()
    expect(page.locator("article")).to_have_count(0)
    expect(page).to_have_title("Larm · Vaka")
    closed = house.gateway.store.alert(alert)
    assert closed is not None
    assert closed.outcome is Outcome.FALSE


def test_what_one_page_answers_every_other_page_shows_at_once(house: House, opened: Opened) -> None:
    house.send("t/sos-1", "alarm.manual")
    one, other = opened(), opened()
    one.get_by_role("button", name="Jag tar det").click()
    expect(other.locator("article")).to_contain_text("Du har tagit larmet")
    other.get_by_role("button", name="Lämna tillbaka").click()
    expect(one.locator("article")).to_contain_text("Ingen har tagit larmet")


def test_a_note_that_is_being_written_outlives_a_card_that_is_drawn_again(
    house: House, opened: Opened
) -> None:
    house.send("t/sos-1", "alarm.manual")
    page = opened()
    card = page.locator("article")
    card.get_by_text("Avsluta …").click()
    note = card.locator("[name=note]")
    note.fill("på golvet")
    house.send("t/sos-1", "alarm.manual")
    expect(card).to_have_attribute("data-count", "2")
    expect(note).to_have_value("på golvet")
    expect(note).to_be_focused()


def test_people_stand_first_and_high_before_the_rest(house: House, opened: Opened) -> None:
    house.raw("vaka/1/t/lock-1/event", b"not json")
    page = opened()
    house.send("t/lock-1", "lock.jammed")
    expect(page.locator("article")).to_have_count(2)
    house.send("t/sos-2", "alarm.manual")
    expect(page.locator("[data-section=person] article")).to_have_count(2)
    texts = page.locator("article h3").all_text_contents()
    assert texts == ["Larmknappen är tryckt", "Låset har fastnat", "Ett meddelande gick inte att läsa"]
    assert [one.strip() for one in page.locator("[data-number]").all_text_contents()] == ["2", "1"]


def test_what_cannot_be_read_of_an_alarm_says_what_it_may_be_and_what_to_do(
    house: House, opened: Opened
) -> None:
    house.raw("vaka/1/t/sos-1/event", b"not json")
    page = opened()
    section = page.locator("[data-section=person]")
    expect(section.locator("h3")).to_have_text("Larmet skickade något oläsligt: kan vara ett hjälprop")
    page.goto(f"{house.url}/alerts/{house.alert('rejected_call').id}")
    expect(page.locator("main")).to_contain_text("Ring upp eller titta till personen.")
    expect(page.locator("main")).to_contain_text("Meddelandet finns i karantänen.")


def test_a_late_alert_never_looks_fresh(house: House, opened: Opened) -> None:
    house.send("t/sos-2", "alarm.manual", ago_s=43 * 60 + 5)
    page = opened()
    expect(page.locator(".late")).to_contain_text("Sent. Larmet är 43 minuter gammalt")
    expect(page.locator("article .age")).to_have_text("43 min sedan")


def test_a_lost_link_is_said_loudly_and_healed(house: House, opened: Opened, tmp_path: Path) -> None:
    page = opened(live=False)
    expect(page.locator("#link")).to_have_attribute("data-state", "connected")
    page.clock.install()
    page.reload()
    expect(page.locator("#link")).to_have_attribute("data-state", "connected")
    page.context.set_offline(offline=True)
    page.clock.fast_forward(20_000)
    banner = page.locator("#link-lost")
    expect(banner).to_be_visible()
    expect(banner).to_contain_text("Ingen kontakt – listan kan vara gammal")  # noqa: RUF001 - as shown
    expect(banner).to_contain_text("Sedan ")
    shoot(page, "lost-phone-light", tmp_path)
    house.send("t/sos-1", "alarm.manual")
    page.context.set_offline(offline=False)
    page.clock.resume()
    expect(banner).to_be_hidden(timeout=20_000)
    expect(page.locator("article")).to_contain_text("Larmknappen är tryckt")


def test_an_answer_that_does_not_arrive_is_unmistakable(house: House, opened: Opened, tmp_path: Path) -> None:
    house.send("t/sos-1", "alarm.manual")
    page = opened()
    page.route("**/accept", lambda route: route.abort())
    page.get_by_role("button", name="Jag tar det").click()
    expect(page.locator("#toast")).to_have_text("Svaret kom inte fram. Försök igen.")
    shoot(page, "unanswered-phone-light", tmp_path)
    assert house.alert("sos").state is AlertState.OFFERED
    page.unroute("**/accept")
    page.get_by_role("button", name="Jag tar det").click()
    expect(page.locator("article")).to_contain_text("Du har tagit larmet")


def test_an_answer_that_came_too_late_says_why(house: House, opened: Opened) -> None:
    house.send("t/sos-1", "alarm.manual")
    page = opened()
    alert = house.alert("sos").id

    def overtaken(route: object) -> None:
        with house.browser_like() as other:
            other.post(f"/api/v1/alerts/{alert}/close", json={"outcome": "real", "seen_count": 1})
        route.continue_()  # type: ignore[attr-defined]

    page.route("**/accept", overtaken)
    page.get_by_role("button", name="Jag tar det").click()
    expect(page.locator("#toast")).to_have_text("Larmet är redan avslutat.")


def test_a_question_stays_open_while_the_card_is_drawn_anew(house: House, opened: Opened) -> None:
    house.send("t/sos-1", "alarm.manual")
    page = opened()
    page.get_by_text("Avsluta …").click()
    page.get_by_role("button", name="Provlarm").focus()
    house.send("t/sos-1", "alarm.manual", presses=3)
    expect(page.locator("article")).to_contain_text("4 tryck")
    expect(page.get_by_role("button", name="Provlarm")).to_be_visible()
    expect(page.get_by_role("button", name="Provlarm")).to_be_focused()


@pytest.mark.parametrize("where", ["board", "alert"])
def test_a_press_that_came_this_moment_is_not_closed_with_the_one_before(
    house: House, opened: Opened, where: str
) -> None:
    house.send("t/sos-1", "alarm.manual")
    page = opened("/" if where == "board" else f"/alerts/{house.alert('sos').id}")
    page.get_by_text("Avsluta …").click()
    page.wait_for_function(  # press the moment the card has changed: quicker than anybody reads
        """() => {
            window.answered = new Promise((done) => {
                const watch = new MutationObserver(() => {
                    const card = document.querySelector("article[data-count='2']");
                    if (!card) return;
                    watch.disconnect();
                    setTimeout(() => {
                        document.querySelector("[data-answer=closefalse]").click();
                        done();
                    }, 400);
                });
                watch.observe(document.body, { childList: true, subtree: true });
            });
            return true;
        }"""
    )
    house.send("t/sos-1", "alarm.manual")
    page.evaluate("window.answered")
    expect(page.locator("#toast")).to_have_text(
        "Larmet har kommit 2 gånger, du såg 1. Titta på det igen och svara sedan."
    )
    assert house.alert("sos").count == 2
    expect(page.locator("article")).to_contain_text("2 tryck")
    page.wait_for_timeout(1600)  # now somebody can have read it
    page.locator("[data-answer=closefalse]").click()
    board = house.gateway.board
    house.wait(lambda: not [one for one in board.open_alerts() if one.text == "sos"])


def test_a_close_that_crosses_a_new_press_is_refused_and_the_card_shows_the_press(
    house: House, opened: Opened
) -> None:
    house.send("t/sos-1", "alarm.manual")
    page = opened()
    page.get_by_text("Avsluta …").click()

    def crossed(route: object) -> None:
        house.send("t/sos-1", "alarm.manual")
        route.continue_()  # type: ignore[attr-defined]

    page.route("**/close?severity=high&seen=1", crossed)
    page.get_by_role("button", name="Falskt larm").click()
    expect(page.locator("#toast")).to_have_text(
        "Larmet har kommit 2 gånger, du såg 1. Titta på det igen och svara sedan."
    )
    expect(page.locator("article")).to_contain_text("2 tryck")
    assert house.alert("sos").state is AlertState.OFFERED


@pytest.mark.parametrize("language", ["sv", "en"])
@pytest.mark.parametrize("width", [320, 360, 412])
def test_every_link_of_the_navigation_stands_on_a_phone_whole(
    opened: Opened, language: str, width: int
) -> None:
    page = opened(f"/?lang={language}")
    page.set_viewport_size({"width": width, "height": 740})
    links = page.locator("nav a")
    expect(links).to_have_count(9)
    for link in links.all():
        box = link.bounding_box()
        assert box is not None
        assert box["x"] >= 0, link.inner_text()
        assert box["x"] + box["width"] <= width, link.inner_text()
        assert box["height"] >= TOUCH_PX


def test_the_alert_page_shows_the_course_of_events_as_it_grows(house: House, opened: Opened) -> None:
    house.send("t/sos-1", "alarm.manual")
    page = opened(f"/alerts/{house.alert('sos').id}")
    expect(page.locator(".history")).to_contain_text("Larmet kom")
    page.get_by_role("button", name="Jag tar det").click()
    expect(page.locator(".history")).to_contain_text("Togs av local")
    page.get_by_text("Avsluta …").click()
    page.get_by_role("button", name="Tekniskt fel").click()
    expect(page.locator(".history")).to_contain_text("Avslutades av local")
    expect(page.locator("article")).to_contain_text("Tekniskt fel")


def test_answers_work_without_javascript(house: House, opened: Opened) -> None:
    house.send("t/sos-1", "alarm.manual")
    page = opened(live=False, java_script_enabled=False)
    page.get_by_role("button", name="Jag tar det").click()
    expect(page.locator("article")).to_contain_text("Du har tagit larmet")
    page.get_by_text("Avsluta …").click()
    page.get_by_role("button", name="Riktigt larm").click()
    expect(page.get_by_text("Inga larm om personer")).to_be_visible()


def test_another_web_site_cannot_close_an_alert_by_a_form(
    house: House, browser: Browser, tmp_path: Path
) -> None:
    house.send("t/sos-1", "alarm.manual")
    alert = house.alert("sos").id
    trap = tmp_path / "trap.html"
    trap.write_text(
        f'<form method="post" action="{house.url}/alerts/{alert}/close">'
        '<input name="outcome" value="false"><button>Win</button></form>'
    )
    page = browser.new_page()
    page.goto(trap.as_uri())
    with page.expect_response(f"**/alerts/{alert}/close") as answered:
        page.get_by_role("button").click()
    assert answered.value.status == 403
    assert house.alert("sos").state is AlertState.OFFERED
    page.close()


def test_the_language_is_chosen_once(house: House, opened: Opened) -> None:
    house.send("t/sos-1", "alarm.manual")
    page = opened()
    page.get_by_role("link", name="In English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.goto(house.url + "/")
    expect(page.get_by_role("button", name="I take it")).to_be_visible()
    house.send("t/sos-2", "alarm.manual")
    expect(page.locator("#said")).to_contain_text("New alert: High. The alarm button was pressed")


def test_everything_that_is_pressed_is_large_enough_for_a_thumb(house: House, opened: Opened) -> None:
    house.send("t/sos-1", "alarm.manual")
    page = opened()
    page.get_by_text("Avsluta …").click()
    page.get_by_text("Framme om …").click()
    pressed = page.locator("article button, article summary, #sound, .top a")
    assert pressed.count() >= 8
    for one in pressed.all():
        box = one.bounding_box()
        assert box is not None
        assert box["height"] >= TOUCH_PX, one.inner_text()


def test_every_control_is_reached_by_the_keyboard_and_shows_it(house: House, opened: Opened) -> None:
    house.send("t/sos-1", "alarm.manual")
    page = opened()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Hoppa till innehållet")).to_be_focused()
    names: list[str] = []
    for _ in range(20):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
        if names[-1] == "Jag tar det":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert names[-1] == "Jag tar det"
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("article")).to_contain_text("Du har tagit larmet")


def test_the_titles_and_the_frame_of_a_page_name_nobody(house: House, opened: Opened) -> None:
    house.send("t/sos-1", "alarm.manual")
    page = opened(f"/alerts/{house.alert('sos').id}")
    assert page.title() == "Ett larm · Vaka"
    for landmark in ("main", "header", "nav"):
        expect(page.locator(landmark)).to_have_count(1)
    assert page.locator("h1").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desk"])
def test_no_page_is_wider_than_the_screen(
    house: House, opened: Opened, tmp_path: Path, scheme: str, size: str
) -> None:
    position = house.send("t/sos-1", "alarm.manual", presses=8)
    house.send("t/sos-2", "alarm.manual", ago_s=43 * 60)
    house.raw("vaka/1/t/lock-1/event", b"<b>not json</b>" * 40)
    page = opened(color_scheme=scheme)
    page.set_viewport_size(PHONE if size == "phone" else DESK)  # type: ignore[arg-type]
    alert = next(alert.id for alert in house.alerts() if alert.text == "sos")
    paths = {name: f"/{name}" for name in ("closed", "trace", "devices", "quarantine", "login")}
    paths |= {"alerts": "/", "alert": f"/alerts/{alert}", "walk": f"/trace/{position}"}
    for name, path in paths.items():
        page.goto(house.url + path)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path
        shoot(page, f"{name}-{size}-{scheme}", tmp_path)
