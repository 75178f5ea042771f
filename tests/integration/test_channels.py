"""Every way out against a stand-in over real sockets: as it should be, slow, failing, late and twice."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request

from gateway.model.alert import Alert, AlertState, Severity
from gateway.model.delivery import Delivery, DeliveryState
from gateway.pipeline import delivering
from gateway.service import dispatch
from gateway.service.circuit import OPEN_AFTER
from simulators.standins.elks import ENGAGED, NOBODY, VOICE_MAIL, ElksStandIn
from simulators.standins.faults import Faults
from simulators.standins.push import Browser, PushStandIn
from simulators.standins.receiver import WebhookStandIn
from simulators.standins.server import served
from tests.browser.whole_house import House, running
from tests.integration.mail_server import MailServer
from tests.integration.mosquitto import free_port

NUMBER = "+46701740605"
SECRET = "whsec_" + "c3RhbmQtaW4gc3RhbmQtaW4gc3RhbmQtaW4="
WITHIN_S = 60.0


@dataclass
class World:
    """A gateway with every channel, and the services behind them."""

    house: House
    elks: ElksStandIn
    push: PushStandIn
    webhook: WebhookStandIn
    mail: MailServer
    browser: Browser

    def press(self) -> str:
        self.house.send("t/sos-1", "alarm.manual")
        return self.house.alert("sos").id

    def alert(self, name: str) -> Alert:
        found = self.house.gateway.store.alert(name)
        assert found is not None
        return found

    def deliveries(self, alert: str) -> dict[str, Delivery]:
        """Return the newest delivery of each channel."""
        return {one.channel: one for one in self.house.gateway.store.deliveries(alert)}

    def attempts(self, alert: str, channel: str) -> list[Delivery]:
        return [one for one in self.house.gateway.store.deliveries(alert) if one.channel == channel]

    def until(self, fits: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        end = time.monotonic() + within_s
        while not fits():
            assert time.monotonic() < end, self.house.gateway.store.deliveries(self.house.alerts()[0].id)
            time.sleep(0.02)

    def until_state(self, alert: str, channel: str, state: DeliveryState) -> Delivery:
        self.until(
            lambda: channel in self.deliveries(alert) and self.deliveries(alert)[channel].state is state
        )
        return self.deliveries(alert)[channel]


def climb_after(monkeypatch: pytest.MonkeyPatch, wait_s: float) -> None:
    """Wait for a High alert's displayed-receipt so long instead of 15 s, and change nothing else."""
    high = delivering.CLIMBS[Severity.HIGH]
    climbs = {**delivering.CLIMBS, Severity.HIGH: high._replace(wait=timedelta(seconds=wait_s))}
    monkeypatch.setattr(delivering, "CLIMBS", climbs)


@pytest.fixture(scope="module")
def services() -> Iterator[tuple[ElksStandIn, str, PushStandIn, str, WebhookStandIn, str, MailServer]]:
    elks, push, webhook = ElksStandIn("u1", "secret"), PushStandIn(), WebhookStandIn(SECRET)
    with (
        served(elks.app) as elks_url,
        served(push.app) as push_url,
        served(webhook.app) as webhook_url,
        MailServer() as mail,
    ):
        yield elks, elks_url, push, push_url, webhook, webhook_url, mail


@pytest.fixture
def world(services: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    elks, elks_url, push, push_url, webhook, webhook_url, mail = services
    elks.faults, push.faults, webhook.faults = Faults(), Faults(), Faults()
    elks.habits.clear()
    for log in (elks.texts, elks.calls, elks.answers, elks.heard, push.taken, mail.messages):
        log.clear()
    webhook.events.clear()
    mail.answer, mail.slow_s = "", 0.0
    climb_after(monkeypatch, 1.0)
    monkeypatch.setattr(dispatch, "DELIVER_WITHIN_S", 2.0)
    port = free_port()
    channels = {
        "public_url": f"http://127.0.0.1:{port}",
        "webpush": {"subject": "mailto:ops@example.org", "hosts": ["127.0.0.1"]},
        "phone": {
            "url": f"{elks_url}/a1",
            "username": "u1",
            "password": "secret",
            "sms_from": "Vaka",
            "voice_from": "+46766861004",
        },
        "email": {"host": "127.0.0.1", "port": mail.port, "security": "none", "sender": "vaka@example.org"},
        "webhook": {"url": f"{webhook_url}/hook", "secret": SECRET},
    }
    with running(tmp_path, channels, port=port) as house:
        browser = push.subscribe(push_url)
        with house.browser_like() as page:
            page.post("/api/v1/push/subscriptions", json=browser.subscription).raise_for_status()
        book = house.gateway.contacts
        (kept,) = book.addresses("local", "webpush")
        book.note("night", "webpush", kept)
        for channel in ("sms", "voice"):
            book.note("night", channel, NUMBER)
        book.note("night", "email", "night@example.org")
        yield World(house, elks, push, webhook, mail, browser)


def test_unseen_it_goes_by_every_channel_and_each_proves_how_far_it_got(world: World) -> None:
    world.elks.habits[NUMBER] = NOBODY
    alert = world.press()
    world.until_state(alert, "voice", DeliveryState.FAILED)
    world.until_state(alert, "sms", DeliveryState.DELIVERED)
    world.until_state(alert, "email", DeliveryState.SENT)
    found = world.deliveries(alert)
    states = {channel: one.state.value for channel, one in found.items()}
    assert states == {
        "console": "sent",
        "page": "failed",
        "webpush": "sent",
        "webhook": "sent",
        "sms": "delivered",
        "voice": "failed",
        "email": "sent",
    }
    assert found["voice"].reason == "not answered: failed"
    assert found["page"].reason == "no page is open"
    assert {one.after for one in found.values() if one.rung} == {found["webpush"].id}


def test_what_leaves_tells_nothing_but_id_and_class(world: World) -> None:
    alert = world.press()
    world.until_state(alert, "email", DeliveryState.SENT)
    world.until_state(alert, "sms", DeliveryState.DELIVERED)
    (word,) = world.push.words
    assert word.pop("receipt").startswith(world.deliveries(alert)["webpush"].id)
    assert word == {"alert": alert, "class": "high"}
    ((_, headers, body),) = world.push.taken
    assert (headers["ttl"], headers["urgency"]) == ("60", "high")
    assert alert not in headers["topic"]
    assert alert.encode() not in body
    (event,) = world.webhook.events.values()
    assert set(event["data"]) == {"alert", "class", "type", "state", "count", "recipient"}
    texts = [world.elks.texts[0]["message"], world.mail.messages[0].get_content()]
    for text in texts:
        assert text.strip().endswith(f"/alerts/{alert}")
        assert not {"home-17", "person-17", "sos", "Unit"} & set(text.replace("/", " ").split())


def test_a_displayed_receipt_from_the_service_worker_keeps_the_telephone_quiet(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    climb_after(monkeypatch, 5.0)
    alert = world.press()
    world.until(lambda: bool(world.push.taken))
    token = world.push.words[0]["receipt"]
    with world.house.client() as anybody:
        assert anybody.post(f"/hooks/push/{token}").status_code == 204
        assert anybody.post(f"/hooks/push/{token}").status_code == 204, "told twice it changes nothing"
        assert anybody.post(f"/hooks/push/{token[:-1]}x").status_code == 404
        assert anybody.post(f"/hooks/sms/{token}").status_code == 404, "a token is for one purpose"
    world.until_state(alert, "webpush", DeliveryState.DISPLAYED)
    time.sleep(5.5)
    assert not world.elks.texts
    assert not world.elks.calls


def test_a_key_on_the_telephone_takes_the_alert(world: World) -> None:
    world.elks.habits[NUMBER] = "1"
    alert = world.press()
    world.until(lambda: world.alert(alert).state is AlertState.ACCEPTED)
    assert world.alert(alert).assignee == "night"
    world.until(lambda: len(world.elks.heard) == 2)
    assert world.elks.heard == ["voice-sv-ask.wav", "voice-sv-taken.wav"]
    assert DeliveryState.ACCEPTED in {call.state for call in world.attempts(alert, "voice")}


def test_a_voice_mail_that_picks_up_takes_nothing(world: World) -> None:
    world.elks.habits[NUMBER] = VOICE_MAIL
    alert = world.press()
    world.until_state(alert, "voice", DeliveryState.DELIVERED)
    world.until(lambda: ("ended", 204) in world.elks.answers)
    assert world.alert(alert).state is AlertState.OFFERED


def test_the_key_two_declines_and_the_alert_is_offered_on(world: World) -> None:
    world.elks.habits[NUMBER] = "2"
    alert = world.press()
    history = world.house.gateway.store.history
    world.until(lambda: "declined" in [entry.action for entry in history(alert)])


def test_an_engaged_number_is_a_failure_with_the_providers_word(world: World) -> None:
    world.elks.habits[NUMBER] = ENGAGED
    alert = world.press()
    assert world.until_state(alert, "voice", DeliveryState.FAILED).reason == "not answered: busy"


def test_a_report_that_comes_late_and_twice_changes_nothing_wrongly(world: World) -> None:
    world.elks.habits[NUMBER] = "1"
    world.elks.faults.late_s, world.elks.faults.twice = 0.6, True
    alert = world.press()
    world.until(lambda: world.alert(alert).state is AlertState.ACCEPTED)
    before = world.deliveries(alert)
    world.until(lambda: world.elks.answers.count(("ended", 204)) >= 2)
    world.until(lambda: world.elks.answers.count(("sms", 204)) >= 4)  # more where a slow machine sent again
    after = world.deliveries(alert)
    assert {k: v.state for k, v in after.items()} == {k: v.state for k, v in before.items()}
    history = [entry.action for entry in world.house.gateway.store.history(alert)]
    assert history.count("accepted") == 1


@pytest.mark.parametrize("status", [500, 429, 402])
def test_a_provider_that_fails_is_tried_again_by_linked_attempts(world: World, status: int) -> None:
    world.elks.faults.fail, world.elks.faults.fail_times = status, 2
    world.elks.habits[NUMBER] = NOBODY
    alert = world.press()
    world.until(lambda: len(world.elks.texts) + len(world.elks.calls) == 2)
    twice = [channel for channel in ("sms", "voice") if len(world.attempts(alert, channel)) > 1]
    first, second = world.attempts(alert, twice[0])[:2]
    assert first.state is DeliveryState.FAILED
    assert f"HTTP {status}" in first.reason
    assert (second.after, second.attempt) == (first.id, 2)


def test_a_number_that_the_provider_refuses_is_not_tried_again(world: World) -> None:
    world.house.gateway.contacts.note("night", "sms", "+0")
    alert = world.press()
    failed = world.until_state(alert, "sms", DeliveryState.FAILED)
    assert failed.reason == 'the provider refused: HTTP 400 Invalid to number "+0"'
    time.sleep(0.3)
    assert len(world.attempts(alert, "sms")) == 1


def test_a_slow_provider_delays_no_other_channel(world: World) -> None:
    world.elks.faults.slow_s = 30
    started = time.monotonic()
    alert = world.press()
    world.until_state(alert, "email", DeliveryState.SENT)
    assert time.monotonic() - started < 4
    world.until(lambda: world.attempts(alert, "sms")[0].state is DeliveryState.FAILED)
    assert world.attempts(alert, "sms")[0].reason == "no answer within 2 s"


@pytest.mark.parametrize("channel", ["sms", "voice", "webpush", "webhook", "email"])
def test_a_channel_that_is_slow_fails_by_its_time_and_is_tried_again(world: World, channel: str) -> None:
    world.elks.habits[NUMBER] = NOBODY
    if channel == "email":
        world.mail.slow_s = 30
    else:
        _faults_of(world, channel).slow_s = 30
    alert = world.press()
    world.until(lambda: len(world.attempts(alert, channel)) > 1)
    first, second = world.attempts(alert, channel)[:2]
    assert (first.state, first.reason) == (DeliveryState.FAILED, "no answer within 2 s")
    assert (second.after, second.attempt) == (first.id, 2)
    free = "email" if channel in {"sms", "voice"} else "sms"
    world.until(lambda: world.deliveries(alert)[free].state in {DeliveryState.SENT, DeliveryState.DELIVERED})


@pytest.mark.parametrize("channel", ["sms", "voice", "webpush", "webhook"])
def test_a_channel_whose_provider_fails_is_tried_again_until_it_works(world: World, channel: str) -> None:
    world.elks.habits[NUMBER] = NOBODY
    faults = _faults_of(world, channel)
    faults.fail = 500
    alert = world.press()
    world.until(lambda: len(world.attempts(alert, channel)) > 1)
    faults.fail = 0
    assert "HTTP 500" in world.attempts(alert, channel)[0].reason
    proved = {DeliveryState.SENT, DeliveryState.DELIVERED}

    def works() -> bool:
        later = world.attempts(alert, channel)[1:]
        return any(one.state in proved or one.reason == "not answered: failed" for one in later)

    world.until(works)


def _faults_of(world: World, channel: str) -> Faults:
    services = {"webpush": world.push.faults, "webhook": world.webhook.faults}
    return services.get(channel, world.elks.faults)


def test_a_push_service_that_fails_sends_the_alert_on_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    climb_after(monkeypatch, 10 * WITHIN_S)  # the time in which a receipt could come does not pass here
    world.push.faults.fail = 503
    world.press()
    world.until(lambda: bool(world.elks.texts))


def test_a_subscription_that_is_gone_is_removed_and_the_person_out_of_reach(world: World) -> None:
    world.browser.gone = True
    book = world.house.gateway.contacts
    alert = world.press()
    failed = world.until_state(alert, "webpush", DeliveryState.FAILED)
    assert failed.reason == "HTTP 410: the subscription is gone; it was removed"
    assert book.addresses("night", "webpush") == []


def test_a_webhook_that_fails_holds_nothing_up_and_is_tried_again(world: World) -> None:
    world.webhook.faults.fail, world.webhook.faults.fail_times = 500, 1
    alert = world.press()
    world.until(lambda: [one.state.final for one in world.attempts(alert, "webhook")] == [True, False])
    world.until_state(alert, "webhook", DeliveryState.SENT)
    assert len(world.webhook.events) == 1
    assert [one.state.value for one in world.attempts(alert, "webhook")] == ["failed", "sent"]
    assert world.webhook.refused == 0


@pytest.mark.parametrize(
    ("answer", "reason", "attempts"),
    [
        ("550 no such mailbox", "the mail server refused the recipient: 550", 1),
        ("451 try again later", "the mail server refused for now", 2),
    ],
)
def test_a_mail_server_that_refuses_is_believed(
    world: World, answer: str, reason: str, attempts: int
) -> None:
    world.mail.answer = answer
    alert = world.press()
    world.until(lambda: any(one.reason for one in world.attempts(alert, "email")))
    first = world.attempts(alert, "email")[0]
    assert (first.state, first.reason) == (DeliveryState.FAILED, reason)
    assert len(world.attempts(alert, "email")) == attempts


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's, on Python 3.11
def test_operations_are_told_of_a_channel_that_rests_and_never_of_an_alert(
    services: Any, tmp_path: Path
) -> None:
    _, _, _, _, webhook, webhook_url, _ = services
    told: list[dict[str, Any]] = []
    office = FastAPI()

    @office.post("/word")
    async def word(request: Request) -> None:
        told.append(await request.json())

    webhook.faults = Faults(fail=503)
    with served(office) as address:
        channels = {
            "webhook": {"url": f"{webhook_url}/hook", "secret": SECRET},
            "operations": [f"{address.replace('http://', 'json://')}/word"],
        }
        with running(tmp_path, channels) as house:
            for number in range(OPEN_AFTER):
                house.send(f"t/sos-{number % 2 + 1}", "alarm.manual")
            house.wait(lambda: bool(told))
    assert told[0]["title"] == "Vaka: the channel webhook rests"
    assert "HTTP 503" in told[0]["message"]
    assert not {"sos", "home-17"} & set(told[0]["message"].split())
