"""People at work over a whole running gateway: plans, breaks, hand-overs, and who would be called."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway.api.passwords import hash_password
from tests.browser.whole_house import House, running

STAFF = "ref,teams,roles,competences\nstaff-17,night,carer,keys\nstaff-18,night,carer,\nlocal,night,carer,\n"


def shifts(*people: str) -> str:
    now = datetime.now(UTC)
    since, until = (now - timedelta(hours=1)).isoformat(), (now + timedelta(hours=8)).isoformat()
    return "staff,team,since,until\n" + "".join(f"{one},night,{since},{until}\n" for one in people)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("people")
    with running(folder) as found:
        yield found


@pytest.fixture
def page(house: House) -> Iterator[httpx.Client]:
    house.close_all()
    with house.browser_like() as client:
        yield client


def bring_in(page: httpx.Client, kind: str, text: str, **more: str) -> httpx.Response:
    return page.post(f"/api/v1/people/{kind}", params={"source": kind, **more}, content=text.encode())


def press(house: House) -> str:
    house.send("t/sos-1", "alarm.manual", presses=1)
    return house.alert("sos").id


def test_without_a_plan_a_team_answers_as_one(page: httpx.Client) -> None:
    (night, _) = page.get("/api/v1/people/duty").json()["teams"]
    assert (night["team"], night["planned"], night["members"]) == ("night", False, [])


def test_a_plan_is_brought_in_shown_and_used(page: httpx.Client) -> None:
    assert bring_in(page, "staff", STAFF).status_code == 200
    left = bring_in(page, "shifts", shifts("staff-17", "staff-18"))
    assert left.status_code == 409, "after it nobody would be asked at the policy's end"
    assert "ladder care: its last step resolves to nobody" in left.json()["detail"]


def test_a_wrong_file_is_refused_with_its_line(page: httpx.Client) -> None:
    wrong = bring_in(page, "shifts", "staff,team,since,until\nstaff-17,night,soon,later\n")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid")
    assert "line 2: since: found 'soon'" in wrong.json()["detail"]
    assert bring_in(page, "else", "x").status_code == 422
    assert bring_in(page, "staff", STAFF, tenant="nobody").status_code == 409


def test_answers_of_people_at_work_go_through_the_journal(house: House, page: httpx.Client) -> None:
    alert = press(house)
    path = f"/api/v1/alerts/{alert}"
    assert page.post(f"{path}/decline", json={"note": ""}).status_code == 422
    taken = page.post(f"{path}/accept", json={"eta_minutes": 10}).json()
    assert taken["eta"] is not None
    deadline, eta = datetime.fromisoformat(taken["deadline"]), datetime.fromisoformat(taken["eta"])
    assert deadline - eta == timedelta(minutes=5)
    handed = page.post(f"{path}/hand-over", json={"to": "tech", "note": "a door"}).json()
    assert (handed["state"], handed["asked"]) == ("offered", ["tech"])
    refused = page.post(f"{path}/shelve", json={"minutes": 10, "note": "later"})
    assert "is never shelved" in refused.json()["detail"]
    actions = [line["action"] for line in page.get(path).json()["history"]]
    assert actions == ["raised", "offered", "accepted", "handed_over", "offered"]
    phases = [line["phase"] for line in page.get(path).json()["history"]]
    assert phases[:3] == ["start", "continue", "acknowledge"]


def test_a_milder_alert_is_set_aside_and_brought_back(house: House, page: httpx.Client) -> None:
    house.raw("vaka/1/t/lock-1/event", b"no json")
    (alert,) = [one.id for one in house.alerts() if one.rule == "rejected_message"]
    path = f"/api/v1/alerts/{alert}"
    aside = page.post(f"{path}/shelve", json={"minutes": 60, "note": "the vendor is told"}).json()
    assert aside["state"] == "shelved"
    assert aside["shelved_until"] == aside["deadline"]
    assert page.post(f"{path}/unshelve").json()["state"] == "offered"


def test_a_break_needs_somebody_who_is_known(page: httpx.Client) -> None:
    assert page.post("/api/v1/breaks", json={"minutes": 20}).status_code == 200
    assert page.delete("/api/v1/breaks").status_code == 200
    assert page.delete("/api/v1/breaks").status_code == 409


def test_the_console_says_who_would_be_called(page: httpx.Client) -> None:
    question = {"device": "t/sos-1", "event": "alarm.manual", "at": "2026-12-24T23:10"}
    lines = page.get("/api/v1/route", params=question).json()["lines"]
    assert [line["what"] for line in lines][:2] == ["raised", "called"]
    assert lines[1]["who"] == "night"
    assert lines[1]["at"] == "2026-12-24T22:10:00Z"
    assert lines[-1]["what"] == "for_ever"
    wrong = page.get("/api/v1/route", params=question | {"device": "nothing"})
    assert (wrong.status_code, "enrolled device" in wrong.json()["detail"]) == (409, True)
    shown = page.get("/route", params=question)
    assert shown.status_code == 200
    assert "Om och om igen tills någon svarar" in shown.text


def test_the_pages_show_the_plan_and_what_is_wrong_with_a_new_one(house: House, page: httpx.Client) -> None:
    shown = page.get("/people").text
    assert "Personal och pass" in shown
    assert "People and shifts" in page.get("/people?lang=en").text
    form = {"kind": "shifts", "source": "x", "tenant": "t"}
    file = {"file": ("plan.csv", b"staff;until\n", "text/csv")}
    token = page.headers["X-Vaka-Token"]
    told = page.post("/people", data=form | {"forgery_token": token}, files=file)
    assert told.status_code == 422
    assert "is missing" in told.text
    alert = press(house)
    assert "hand-over" in page.get(f"/alerts/{alert}").text


def test_staff_may_not_change_plans(tmp_path_factory: pytest.TempPathFactory) -> None:
    user = {"name": "staff-17", "password_hash": hash_password("correct horse"), "teams": ["night"]}
    with running(tmp_path_factory.mktemp("rights"), user=[user]) as house, house.client() as page:
        page.headers["Origin"] = house.url
        page.post("/login", data={"name": "staff-17", "password": "correct horse"})
        token = page.get("/api/v1/session").json()["forgery_token"]
        page.headers["X-Vaka-Token"] = token
        assert page.get("/api/v1/people/duty").status_code == 403
        assert bring_in(page, "staff", STAFF).status_code == 403
        assert page.get("/api/v1/route", params={"device": "x", "event": "y"}).status_code == 403
        refused = page.post("/api/v1/breaks")
        assert (refused.status_code, "staff that are known" in refused.json()["detail"]) == (409, True)
