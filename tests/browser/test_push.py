"""Web push into a real Chromium: the real message, decrypted, in the real service worker, shown and told.

Real here: the gateway and its journal, the encryption and the VAPID signature, the push service's checks,
the browser, its service worker, the notification and the receipt over HTTP. Stood in for: the push
service on the network, whose last stretch to the browser is DevTools' ServiceWorker.deliverPushMessage,
which hands the decrypted payload to the worker as the browser's own push client does; and the
subscription, which Chromium could only make with Google's service on the internet.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect, sync_playwright

from gateway.model.delivery import Delivery, DeliveryState
from simulators.standins.push import PushStandIn
from simulators.standins.server import served
from tests.browser.whole_house import House, running
from tests.integration.mosquitto import free_port

pytestmark = pytest.mark.browser

WITHIN_S = 40.0
SHOWN = """async () => {
  const worker = await navigator.serviceWorker.ready;
  return (await worker.getNotifications()).map((one) => ({title: one.title, body: one.body, tag: one.tag}));
}"""


@pytest.fixture(scope="module")
def push() -> Iterator[tuple[PushStandIn, str]]:
    service = PushStandIn()
    with served(service.app) as address:
        yield service, address


@pytest.fixture(scope="module")
def house(push: tuple[PushStandIn, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    port = free_port()
    channels = {
        "public_url": f"http://127.0.0.1:{port}",
        "webpush": {"subject": "mailto:ops@example.org", "hosts": ["127.0.0.1"]},
    }
    with running(tmp_path_factory.mktemp("house"), channels, port=port) as found:
        with found.browser_like() as page:
            subscription = push[0].subscribe(push[1]).subscription
            page.post("/api/v1/push/subscriptions", json=subscription).raise_for_status()
        (kept,) = found.gateway.contacts.addresses("local", "webpush")
        found.gateway.contacts.note("night", "webpush", kept)
        yield found


@pytest.fixture(scope="module")
def chromium(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A browser with a profile on disk, as a phone has: notifications allowed for this page."""
    profile = str(tmp_path_factory.mktemp("profile"))
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu"],
            locale="sv-SE",
        )
        context.grant_permissions(["notifications"], origin=house.url)
        yield context
        with ended_at_last(profile):
            context.close()


@contextmanager
def ended_at_last(profile: str) -> Iterator[None]:
    """End a profile's browser by its process ids if it does not close, as one may that shows something."""
    watchdog = threading.Timer(WITHIN_S, end_processes, [profile])
    watchdog.start()
    yield
    watchdog.cancel()


def end_processes(profile: str) -> None:
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"--user-data-dir={profile}".encode() in line.read_bytes():
                os.kill(int(line.parent.name), signal.SIGKILL)


def waited(fits: Callable[[], Any]) -> Any:
    end = time.monotonic() + WITHIN_S
    while not (found := fits()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return found


def delivery(house: House, alert: str, channel: str) -> Delivery:
    return [one for one in house.gateway.store.deliveries(alert) if one.channel == channel][-1]


class Worker:
    """The page's service worker, reached through DevTools."""

    def __init__(self, page: Page) -> None:
        self._devtools: CDPSession = page.context.new_cdp_session(page)
        self._registrations: dict[str, str] = {}
        self._devtools.on("ServiceWorker.workerRegistrationUpdated", self._registered)
        self._devtools.send("ServiceWorker.enable")
        self._page = page

    def _registered(self, told: dict[str, Any]) -> None:
        for one in told["registrations"]:
            self._registrations[one["scopeURL"]] = one["registrationId"]

    def push(self, origin: str, payload: bytes) -> None:
        end = time.monotonic() + WITHIN_S
        while f"{origin}/" not in self._registrations:
            assert time.monotonic() < end, "no service worker was registered"
            self._page.wait_for_timeout(50)
        said = {
            "origin": f"{origin}/",
            "registrationId": self._registrations[f"{origin}/"],
            "data": payload.decode(),
        }
        self._devtools.send("ServiceWorker.deliverPushMessage", said)


def test_a_push_is_shown_without_content_and_its_receipt_comes_back(
    house: House, push: tuple[PushStandIn, str], chromium: BrowserContext
) -> None:
    service, _ = push
    page = chromium.new_page()
    page.goto(house.url)
    page.evaluate("async () => { await navigator.serviceWorker.ready; }")
    worker = Worker(page)
    page.goto(f"{house.url}/closed")  # a page without cards: only the notification can prove anything
    house.send("t/sos-1", "alarm.manual")
    alert = house.alert("sos").id
    waited(lambda: service.taken)
    name, _, encrypted = service.taken[-1]
    payload = service.browsers[name].read(encrypted)
    assert delivery(house, alert, "webpush").state is not DeliveryState.DISPLAYED
    worker.push(house.url, payload)
    waited(lambda: delivery(house, alert, "webpush").state is DeliveryState.DISPLAYED)
    shown = page.evaluate(SHOWN)
    assert shown == [{"title": "Larm · öppna Vaka", "body": "Tryck för att se larmet.", "tag": alert}]
    assert "home-17" not in json.dumps(shown)
    page.close()
    house.close_all()


def test_the_receipt_needs_no_open_page(
    house: House, push: tuple[PushStandIn, str], chromium: BrowserContext
) -> None:
    service, _ = push
    service.taken.clear()
    page = chromium.new_page()
    page.goto(house.url)
    page.evaluate("async () => { await navigator.serviceWorker.ready; }")
    worker = Worker(page)
    page.goto("about:blank")  # none of our pages is open any more, and the gateway has noticed
    house.wait(lambda: not house.gateway.board.watched("night"))
    house.send("t/sos-2", "alarm.manual")
    alert = house.alert("sos").id
    waited(lambda: service.taken)
    name, _, encrypted = service.taken[-1]
    worker.push(house.url, service.browsers[name].read(encrypted))
    waited(lambda: delivery(house, alert, "webpush").state is DeliveryState.DISPLAYED)
    assert delivery(house, alert, "page").state is DeliveryState.FAILED
    page.close()
    house.close_all()


def test_a_card_counts_as_displayed_only_once_it_is_on_a_visible_screen(
    house: House, chromium: BrowserContext
) -> None:
    page = chromium.new_page()
    page.add_init_script("window.IntersectionObserver = class { observe() {} disconnect() {} };")
    page.goto(house.url)
    expect(page.locator("#link")).to_have_attribute("data-state", "connected")
    house.send("t/gps-1", "alarm.manual")
    alert = house.alert("sos").id
    expect(page.locator(f"#alert-{alert}")).to_be_attached()
    page.wait_for_timeout(2500)
    assert delivery(house, alert, "page").state is DeliveryState.SENT, "drawn, but on no screen"
    page.close()
    looking = chromium.new_page()
    looking.goto(house.url)
    waited(lambda: delivery(house, alert, "page").state is DeliveryState.DISPLAYED)
    looking.close()
    house.close_all()


def test_a_browser_without_a_push_service_is_told_that_it_did_not_work(
    house: House, chromium: BrowserContext
) -> None:
    page = chromium.new_page()
    page.goto(house.url)
    button = page.locator("#push")
    expect(button).to_have_text("Slå på aviseringar")
    button.click()
    expect(page.locator("#toast")).not_to_be_empty(timeout=15_000)
    expect(button).to_be_enabled()
    page.close()
