"""The JSON API over a whole running gateway: what is open, what happened, and people's answers."""

import logging
from collections.abc import Iterator

import httpx
import pytest

from gateway.contract import StoreUnavailableError
from gateway.model.frame import Frame
from tests.browser.whole_house import House, running


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture
def page(house: House) -> Iterator[httpx.Client]:
    """Return a client that speaks like our own page; every alert of an earlier test is closed first."""
    house.close_all()
    with house.browser_like() as client:
        yield client


def press(house: House, device: str = "t/sos-1", presses: int = 1) -> str:
    house.send(device, "alarm.manual", presses=presses)
    (found,) = [alert for alert in house.alerts() if alert.device == device]
    return found.id


def test_open_alerts_are_listed_high_first(house: House, page: httpx.Client) -> None:
    house.raw("vaka/1/t/lock-1/event", b"not json")
    press(house)
    listed = page.get("/api/v1/alerts").json()
    assert [alert["severity"] for alert in listed["alerts"]] == ["high", "low"]
    assert listed["cursor"] >= max(alert["frame"] for alert in listed["alerts"])


def test_an_alert_is_taken_visited_and_closed_and_its_history_tells_it(
    house: House, page: httpx.Client
) -> None:
    alert = press(house, presses=8)
    path = f"/api/v1/alerts/{alert}"
    assert page.post(f"{path}/accept").json()["state"] == "accepted"
    assert page.post(f"{path}/on-site", json={"note": "through the garden"}).json()["state"] == "on_site"
    closed = page.post(f"{path}/close", json={"outcome": "real", "seen_count": 1}).json()
    assert (closed["state"], closed["outcome"], closed["deadline"]) == ("closed", "real", None)
    told = page.get(path).json()
    assert [line["action"] for line in told["history"]] == [
        "raised",
        "offered",
        "accepted",
        "on_site",
        "closed",
    ]
    assert told["history"][3]["detail"] == "through the garden"
    assert {line["actor"] for line in told["history"][2:]} == {"local"}
    assert {delivery["channel"] for delivery in told["deliveries"]} == {"page", "console"}
    assert [event["type"] for event in told["events"]] == ["alarm.manual"]
    assert told["events"][0]["values"]["presses"] == 8
    assert page.get("/api/v1/alerts").json()["alerts"] == []
    assert page.get("/api/v1/alerts?state=closed").json()["alerts"][0]["id"] == alert


def test_a_press_that_nobody_saw_is_not_closed_with_the_one_before(house: House, page: httpx.Client) -> None:
    alert = press(house)
    path = f"/api/v1/alerts/{alert}"
    seen = page.get(path).json()["alert"]["count"]
    press(house)
    refused = page.post(f"{path}/close", json={"outcome": "false", "seen_count": seen})
    assert (refused.status_code, refused.json()["code"]) == (409, "refused")
    assert refused.json()["detail"] == "raised again since you looked: 2 times, you saw 1"
    assert page.get(path).json()["alert"]["state"] == "offered"
    assert page.post(f"{path}/close", json={"outcome": "false", "seen_count": 2}).status_code == 200


def test_a_high_alert_is_not_closed_without_saying_what_was_seen(house: House, page: httpx.Client) -> None:
    alert = press(house)
    refused = page.post(f"/api/v1/alerts/{alert}/close", json={"outcome": "test"})
    assert refused.status_code == 409
    assert "seen_count" in refused.json()["detail"]
    house.raw("vaka/1/t/lock-1/event", b"not json")
    low = house.alert("rejected_message").id
    assert page.post(f"/api/v1/alerts/{low}/close", json={"outcome": "technical"}).status_code == 200


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("sv", "Larmet har kommit 2 gånger, du såg 1. Titta på det igen och svara sedan."),
        ("en", "The alert has come 2 times, you saw 1. Look at it again, then answer."),
    ],
)
def test_a_page_says_that_the_alert_came_again_also_to_who_has_taken_it(
    house: House, page: httpx.Client, language: str, said: str
) -> None:
    alert = press(house)
    page.post(f"/alerts/{alert}/accept")
    assert f"/alerts/{alert}/close?severity=high&amp;seen=1" in page.get("/").text
    press(house)
    answer = page.post(
        f"/alerts/{alert}/close?seen=1&lang={language}",
        data={"outcome": "false"},
        headers={"HX-Request": "true"},
    )
    assert (answer.status_code, answer.text) == (409, said)
    unsaid = page.post(f"/alerts/{alert}/close", data={"outcome": "false"}, headers={"HX-Request": "true"})
    assert (unsaid.status_code, unsaid.text) == (409, "Svaret passade inte. Se hur larmet står nu.")
    assert f"/alerts/{alert}/close?severity=high&amp;seen=2" in page.get("/").text


def test_a_long_history_comes_a_part_at_a_time_the_newest_first(
    house: House, page: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = press(house)
    for _ in range(8):
        press(house)
    path = f"/api/v1/alerts/{alert}"
    whole = page.get(path).json()
    versions = [line["version"] for line in whole["history"]]
    assert versions == list(range(1, 19))  # every press is counted, and offered
    assert (whole["earlier"], whole["later"]) == (0, 0)

    def part(query: str) -> tuple[list[int], int, int]:
        told = page.get(f"{path}?{query}").json()
        return [line["version"] for line in told["history"]], told["earlier"], told["later"]

    assert part("limit=5") == ([14, 15, 16, 17, 18], 13, 0)
    assert part("limit=5&after=0") == ([1, 2, 3, 4, 5], 0, 13)
    assert part("limit=5&after=15") == ([16, 17, 18], 15, 0)
    assert part("limit=5&after=99") == ([], 18, 0)
    assert len(page.get(f"{path}?limit=5").json()["deliveries"]) == 5
    for wrong in ("limit=0", "limit=1001", "after=-1", f"after={2**63}"):
        assert page.get(f"{path}?{wrong}").status_code == 422

    monkeypatch.setattr("gateway.api.pages.SHOWN", 5)
    newest = page.get(f"/alerts/{alert}").text
    assert newest.count("<li><time") == 5
    assert '<a class="back" href="?after=8">↑ 13 tidigare rader</a>' in newest
    assert "senare rader" not in newest
    assert "Bara de senaste 5 visas." in newest
    oldest = page.get(f"/alerts/{alert}?after=0").text
    assert "tidigare rader" not in oldest
    assert '<a class="back" href="?after=5">↓ 13 senare rader</a>' in oldest
    assert (
        f'<a class="back" href="/alerts/{alert}">↓ 3 senare rader</a>'
        in page.get(f"/alerts/{alert}?after=10").text
    )


def test_an_alert_that_is_given_back_is_offered_again(house: House, page: httpx.Client) -> None:
    alert = press(house)
    page.post(f"/api/v1/alerts/{alert}/accept")
    free = page.post(f"/api/v1/alerts/{alert}/release").json()
    assert (free["state"], free["assignee"]) == ("offered", None)
    assert free["deadline"]


def test_an_answer_that_does_not_fit_is_refused_with_the_reason(house: House, page: httpx.Client) -> None:
    alert = press(house)
    refused = page.post(f"/api/v1/alerts/{alert}/release")
    assert refused.status_code == 409
    assert refused.json() == {"code": "refused", "detail": "nobody has taken it"}
    page.post(f"/api/v1/alerts/{alert}/close", json={"outcome": "false", "seen_count": 1})
    again = page.post(f"/api/v1/alerts/{alert}/close", json={"outcome": "real", "seen_count": 1})
    assert again.status_code == 409
    assert page.get(f"/api/v1/alerts/{alert}").json()["alert"]["outcome"] == "false"


@pytest.mark.parametrize("path", ["/api/v1/alerts/none", "/api/v1/trace/999999999", "/api/v1/nowhere"])
def test_what_does_not_exist_is_not_found(page: httpx.Client, path: str) -> None:
    answer = page.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("close", {}),
        ("close", {"outcome": "maybe"}),
        ("close", {"outcome": "real", "note": "x" * 501}),
        ("accept", {"actor": "somebody else"}),
    ],
)
def test_a_body_of_the_wrong_shape_changes_nothing(
    house: House, page: httpx.Client, action: str, body: dict[str, str]
) -> None:
    alert = press(house)
    answer = page.post(f"/api/v1/alerts/{alert}/{action}", json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"
    assert page.get(f"/api/v1/alerts/{alert}").json()["alert"]["state"] == "offered"


def test_answers_survive_a_restart_of_the_gateway(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("restart")
    with running(folder) as house, house.browser_like() as page:
        alert = press(house)
        page.post(f"/api/v1/alerts/{alert}/accept")
    with running(folder) as house, house.client() as page:
        (found,) = page.get("/api/v1/alerts").json()["alerts"]
    assert (found["id"], found["state"], found["assignee"]) == (alert, "accepted", "local")


def test_opening_and_answering_are_audited_without_the_person(
    house: House, page: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    alert = press(house)
    with caplog.at_level(logging.INFO, logger="gateway.api.audit"):
        page.get(f"/api/v1/alerts/{alert}")
        page.post(f"/api/v1/alerts/{alert}/accept", json={"note": "a word that must not be logged"})
    assert caplog.messages == [
        f"opened actor=local alert={alert}",
        f"answer actor=local alert={alert} action=accept result=done",
    ]


def test_the_description_names_every_operation_with_its_errors(page: httpx.Client) -> None:
    described = page.get("/api/v1/openapi.json").json()
    paths = described["paths"]
    for path in (
        "/api/v1/alerts",
        "/api/v1/alerts/{alert_id}",
        *(f"/api/v1/alerts/{{alert_id}}/{action}" for action in ("accept", "on-site", "release", "close")),
        "/api/v1/devices",
        "/api/v1/devices/discovered",
        "/api/v1/events",
        "/api/v1/trace",
        "/api/v1/trace/{position}",
        "/api/v1/quarantine",
        "/api/v1/health",
        "/api/v1/live",
        "/api/v1/session",
    ):
        assert path in paths
        for operation in paths[path].values():
            assert operation["summary"]
            assert operation["tags"]
    assert {"200", "401", "403", "404", "409", "503"} <= set(
        paths["/api/v1/alerts/{alert_id}/accept"]["post"]["responses"]
    )
    assert not [path for path in paths if not path.startswith(("/api/v1/", "/in/", "/fhir/"))]


def test_when_the_disk_refuses_nothing_is_taken_and_the_sender_may_try_again(
    house: House, page: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = press(house)

    async def refuse(_frame: Frame) -> int:
        raise StoreUnavailableError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(house.gateway.intake, "accept", refuse)
        answer = page.post(f"/api/v1/alerts/{alert}/accept")
        said = page.post(f"/alerts/{alert}/accept", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert (said.status_code, said.text) == (503, "Systemet kan inte spara just nu. Försök igen.")
    assert page.get(f"/api/v1/alerts/{alert}").json()["alert"]["state"] == "offered"
    assert page.post(f"/api/v1/alerts/{alert}/accept").status_code == 200


def test_when_the_store_cannot_be_read_the_api_says_so(
    house: House, page: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StoreUnavailableError("the disk is gone")

    for name in ("closed_alerts", "traces", "quarantined", "alert"):
        monkeypatch.setattr(house.gateway.store, name, refuse)
    for path in ("alerts?state=closed", "alerts/x", "trace", "quarantine"):
        assert page.get(f"/api/v1/{path}").status_code == 503
    assert page.get("/closed").status_code == 503
    assert page.get("/api/v1/alerts").status_code == 200, "open alerts need no disk"


def test_an_answer_that_is_on_disk_and_not_yet_judged_says_just_that(
    house: House, page: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = press(house)

    async def late(_position: int, _timeout_s: float) -> str:
        raise TimeoutError

    with monkeypatch.context() as slow:
        slow.setattr(house.gateway.board, "settled", late)
        answer = page.post(f"/api/v1/alerts/{alert}/accept")
    assert (answer.status_code, answer.json()["code"]) == (202, "not_judged_yet")
    house.wait(lambda: house.gateway.board.open_alerts()[0].assignee == "local")


def test_the_alert_page_says_where_the_alarm_was_pressed(house: House, page: httpx.Client) -> None:
    house.send("t/gps-1", "alarm.manual", latitude=59.6099, longitude=16.5448, accuracy_m=12.4)
    (alert,) = [one for one in house.alerts() if one.device == "t/gps-1"]
    assert "59.60990, 16.54480 (± 12 m)" in page.get(f"/alerts/{alert.id}").text
