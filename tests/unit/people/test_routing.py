"""Routing: who is asked first, who next, who never, and that the reason is in the history."""

from datetime import timedelta

import pytest

from gateway.model.alert import AlertState
from gateway.model.frame import Transport
from tests.unit.people.crew import DAY, Crew, actions, crewed, details, rotation, rung, staff
from tests.unit.pipeline.town import LOCK, PENDANT


@pytest.fixture
def crew() -> Crew:
    return Crew()


def test_a_call_for_help_is_offered_to_one_then_three_then_all_then_the_failsafe_for_ever(crew: Crew) -> None:
    first = crew.send(PENDANT, "alarm.manual")
    (sos,) = first.alerts
    assert rung(first) == ["staff-1"]
    assert crew.alert(sos).deadline == crew.now + timedelta(seconds=20)
    assert rung(crew.later(seconds=20)) == ["staff-2", "staff-3"]
    assert rung(crew.later(seconds=40)) == ["staff-4", "staff-5"]
    assert rung(crew.later(seconds=60)) == ["centre"]
    for _ in range(5):
        assert rung(crew.until_deadline(sos)) == ["centre"]


def test_nobody_is_rung_twice_while_the_circle_widens(crew: Crew) -> None:
    sos = crew.sos()
    people = ["staff-1", *rung(crew.later(seconds=20)), *rung(crew.later(seconds=40))]
    assert sorted(people) == sorted(DAY)
    assert set(crew.alert(sos).asked) == set(DAY)


def test_the_first_to_accept_has_it_and_the_others_are_told_who(crew: Crew) -> None:
    sos = crew.sos()
    crew.later(seconds=20)
    crew.answer(sos, "accept", "staff-2")
    assert list(crew.answer(sos, "accept", "staff-3").refusals.values()) == ["taken by staff-2"]
    assert not rung(crew.later(seconds=60))


def test_a_medium_alert_is_one_persons_for_its_time_then_everybodys(crew: Crew) -> None:
    changes = crew.send(LOCK, "lock.jammed")
    (jam,) = changes.alerts
    assert rung(changes) == ["staff-1"]
    assert crew.alert(jam).deadline == crew.now + timedelta(seconds=crew.alert(jam).accept_within_s)
    assert rung(crew.until_deadline(jam)) == list(DAY[1:])
    assert rung(crew.until_deadline(jam)) == ["centre"]


def test_the_night_patrol_is_asked_at_night(crew: Crew) -> None:
    crew.later(hours=10)
    assert rung(crew.send(PENDANT, "alarm.manual")) == ["staff-8"]


def test_who_cannot_be_reached_is_passed_over_at_once_and_the_reason_is_kept(crew: Crew) -> None:
    crew.reach("staff-1", reachable=False, reason="push: 410 gone")
    crew.reach("staff-2", reachable=False)
    crew.reach("staff-2", reachable=True, channel="sms")
    changes = crew.send(PENDANT, "alarm.manual")
    assert rung(changes) == ["staff-2"], "one way that works is enough"


def test_a_team_that_nobody_can_reach_is_skipped_with_each_reason(crew: Crew) -> None:
    for ref in DAY:
        crew.reach(ref, reachable=False, reason=f"{ref} has no phone")
    changes = crew.send(PENDANT, "alarm.manual")
    assert rung(changes) == ["centre"]
    (why,) = details(changes, "skipped")
    assert all(f"{ref} has no phone" in why for ref in DAY)


def test_when_nobody_seems_within_reach_those_on_duty_are_rung_all_the_same() -> None:
    tenant = {"id": "t", "name": "Testköping", "failsafe": ["day"]}
    crew = Crew(tenant=[tenant], rotation=[rotation("day", DAY, "07:00", "07:00")])
    for ref in DAY:
        crew.reach(ref, reachable=False, channel="sms", reason="the channel rests")
    changes = crew.send(PENDANT, "alarm.manual")
    assert rung(changes) == [*DAY, "day", "night", "centre", "tech"]
    (sos,) = changes.alerts
    assert set(DAY) <= set(rung(crew.until_deadline(sos))), "and again, until somebody answers"


def test_a_phone_that_comes_back_is_in_routing_again(crew: Crew) -> None:
    crew.reach("staff-1", reachable=False)
    crew.reach("staff-1", reachable=True)
    assert rung(crew.send(PENDANT, "alarm.manual")) == ["staff-1"]


def test_who_has_alerts_already_is_asked_after_who_has_none(crew: Crew) -> None:
    jam = next(iter(crew.send(LOCK, "lock.jammed").alerts))
    crew.answer(jam, "accept", "staff-1")
    assert rung(crew.send(PENDANT, "alarm.manual")) == ["staff-2"]


def test_who_can_get_in_is_asked_before_who_cannot() -> None:
    people = [staff(ref, "day", competences=["keys"] if ref == "staff-4" else []) for ref in DAY]
    assert rung(
        Crew(staff=people, rotation=[rotation("day", DAY, "00:00", "00:00")]).send(PENDANT, "alarm.manual")
    ) == ["staff-4"]


def test_who_is_near_is_asked_before_who_is_far() -> None:
    zone = {"latitude": 59.0, "longitude": 15.0, "radius_m": 300}
    far = {"latitude": 59.2, "longitude": 15.0, "radius_m": 300}
    ladders = {"care_ladder": "care", "technical_ladder": "tech", "tenant": "t", "unit": "u"}
    homes = [{"id": "h1", "zone": zone, **ladders}, {"id": "h2", "zone": far, **ladders}]
    near = {"id": "h3", "zone": {**zone, "latitude": 59.01}, **ladders}
    crew = Crew(home=[*homes, near])
    crew.context("v1", kind="visit", home="h2", ref="staff-1")
    crew.context("v2", kind="visit", home="h3", ref="staff-3")
    assert rung(crew.send(PENDANT, "alarm.manual")) == ["staff-3"], "by the visit plan"


def test_a_delegated_alert_goes_first_to_who_may_give_medication() -> None:
    people = [staff(ref, "day", competences=["delegation"] if ref == "staff-5" else []) for ref in DAY]
    crew = Crew(staff=people, rotation=[rotation("day", DAY, "00:00", "00:00")])
    from msgspec.structs import replace

    from gateway.model.alert import Route
    from gateway.model.people import PolicyStep
    from gateway.pipeline.choice import choose

    alert = replace(crew.alert(crew.sos()), route=Route.CARE_DELEGATED)
    step = PolicyStep(to=("day",))
    assert choose(crew.state, alert, step, last=False).people[0] == "staff-5"
    nurse = replace(alert, route=Route.CARE)
    assert choose(crew.state, nurse, step, last=False).people[0] == "staff-1"


def test_a_step_for_a_role_asks_only_those_who_have_it() -> None:
    people = [staff(ref, "day", roles=["lead"] if ref == "staff-3" else ["carer"]) for ref in DAY]
    steps = [{"to": ["day"], "role": "lead"}]
    crew = Crew(
        staff=people,
        rotation=[rotation("day", DAY, "00:00", "00:00")],
        ladder=[{"id": "care", "tenant": "t", "steps": steps}, crewed()["ladder"][1]],
    )
    assert rung(crew.send(PENDANT, "alarm.manual")) == ["staff-3"]


def test_who_says_no_is_not_asked_again_and_the_next_are_asked_at_once(crew: Crew) -> None:
    sos = crew.sos()
    assert "needs a reason" in next(iter(crew.answer(sos, "decline", "staff-1").refusals.values()))
    changes = crew.answer(sos, "decline", "staff-1", note="lifting somebody")
    assert "declined" in actions(changes)
    assert "staff-1" not in rung(changes)
    assert rung(changes)
    for _ in range(3):
        assert "staff-1" not in rung(crew.until_deadline(sos))


def test_when_everybody_says_no_the_failsafe_is_asked_with_the_reasons(crew: Crew) -> None:
    sos = crew.sos()
    last = None
    for ref in DAY:
        last = crew.answer(sos, "decline", ref, note="cannot")
    assert last is not None
    assert rung(last) == ["centre"]
    assert crew.alert(sos).deadline is not None


def test_an_alert_is_handed_over_to_another_team_and_climbs_on_from_there(crew: Crew) -> None:
    sos = crew.sos()
    crew.answer(sos, "accept", "staff-1")
    assert "allowed: a team" in next(
        iter(crew.answer(sos, "hand_over", "staff-1", to="nobody").refusals.values())
    )
    changes = crew.answer(sos, "hand_over", "staff-1", to="tech", note="the door must be opened")
    assert rung(changes) == ["tech"]
    assert crew.alert(sos).state is AlertState.OFFERED
    assert rung(crew.until_deadline(sos)) == ["centre"]


def test_who_said_no_before_is_asked_again_after_a_hand_over_and_who_hands_over_is_not(crew: Crew) -> None:
    sos = crew.sos()
    crew.answer(sos, "decline", "staff-1", note="cannot")
    crew.until_deadline(sos)
    changes = crew.answer(sos, "hand_over", "staff-2", to="day")
    asked = set(rung(changes))
    for _ in range(3):
        asked |= set(rung(crew.until_deadline(sos)))
    assert "staff-1" in asked
    assert "staff-2" not in asked
    assert "staff-2" in crew.alert(sos).declined


def test_the_failsafe_stays_the_last_step_after_a_hand_over_from_it(crew: Crew) -> None:
    sos = crew.sos()
    for _ in range(3):
        crew.until_deadline(sos)
    assert crew.alert(sos).asked == ("centre",)
    assert rung(crew.answer(sos, "hand_over", "centre-user", to="day")) == ["staff-1"]
    rings = [rung(crew.until_deadline(sos)) for _ in range(6)]
    assert rings[-2:] == [["centre"], ["centre"]]


def test_no_alert_is_handed_over_without_end(crew: Crew) -> None:
    sos = crew.sos()
    refusals = {}
    for _ in range(40):
        refusals = crew.answer(sos, "hand_over", "anna", to="day").refusals
        if refusals:
            break
    assert "too often" in next(iter(refusals.values()))
    assert crew.alert(sos).deadline is not None


def test_a_registry_whose_policy_can_end_with_nobody_is_refused_with_the_reason(crew: Crew) -> None:
    ladder = [
        {"id": "care", "tenant": "t", "steps": [{"to": ["centre"]}, {"to": ["day"]}]},
        crewed()["ladder"][1],
    ]
    parts = crewed(tenant=[{"id": "t", "name": "T"}], ladder=ladder)
    (refusal,) = crew.registers(**parts).refusals.values()
    assert "ladder care: its last step resolves to nobody" in refusal
    assert "day: nobody on duty" in refusal
    assert crew.state.registry.tenants["t"].failsafe == ("centre",), "the registry before it holds on"


def test_a_team_without_a_plan_answers_as_one(crew: Crew) -> None:
    crew.enrol(**crewed(rotation=[]))
    assert rung(crew.send(PENDANT, "alarm.manual")) == ["day"]


def test_a_routes_own_ladder_wins_from_home_over_unit_over_tenant() -> None:
    def parts(**ladders: dict[str, str]) -> dict[str, object]:
        names = ("care", "tech", "own")
        teams = {"care": "day", "tech": "tech", "own": "night"}
        home = {"id": "h1", "tenant": "t", "unit": "u", "care_ladder": "care", "technical_ladder": "tech"}
        return {
            "tenant": [{"id": "t", "name": "T", "ladders": ladders.get("tenant", {})}],
            "unit": [{"id": "u", "tenant": "t", "name": "U", "ladders": ladders.get("unit", {})}],
            "home": [home | {"ladders": ladders.get("home", {})}],
            "ladder": [{"id": n, "tenant": "t", "steps": [{"to": [teams[n]]}]} for n in names],
        }

    for owner, mild in (
        ("tenant", {}),
        ("unit", {"tenant": {"care": "tech"}}),
        ("home", {"unit": {"care": "tech"}}),
    ):
        town = Crew()
        town.enrol(**parts(**{owner: {"care": "own"}, **mild}))  # type: ignore[arg-type]
        assert rung(town.send(PENDANT, "alarm.manual")) == ["night"], owner


def test_a_press_on_a_taken_alert_rings_who_has_it_too(crew: Crew) -> None:
    sos = crew.sos()
    crew.later(seconds=20)
    crew.answer(sos, "accept", "staff-3")
    assert rung(crew.send(PENDANT, "alarm.manual"))[0] == "staff-3"


def test_answers_and_plans_survive_a_restart(crew: Crew) -> None:
    from gateway.contract import Snapshot
    from gateway.pipeline.state import State

    crew.reach("staff-1", reachable=False)
    records: dict[str, bytes] = {}
    changes = crew.take(Transport.PERSON, "context/b/set", b"{}")
    assert changes.refusals
    kept = crew.pause("staff-2")
    records |= {key: body for key, body in kept.records.items() if body is not None}
    state = State(Snapshot(0, crew.state.registry.document, {}, {}, {}, {}, {}, {}, records=records))
    assert state.contexts.keys() == {"break-staff-2"}
