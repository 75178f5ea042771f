"""A device that comes and goes is one alert that stays; a call for help never is (alert rules, 5.6, S10)."""

from gateway.model.frame import Transport
from tests.unit.pipeline.town import LOCK, PENDANT, Town


def swing(town: Town, times: int, device: str = LOCK, *, pause_s: float = 3) -> int:
    """Let a device go and come back; returns how often its alert was offered."""
    offered = 0
    for _ in range(times):
        for state, wait in (("offline", 61), ("online", pause_s)):
            changes = [
                town.take(Transport.MQTT, f"vaka/1/{device}/status", f'{{"state":"{state}"}}'.encode())
            ]
            changes.append(town.later(seconds=wait))
            offered += sum(bool(one.deliveries) for one in changes)
    return offered


def quick(town: Town, device: str, times: int) -> None:
    """Let the alert of a jam come and go every twenty seconds."""
    for _ in range(times):
        town.send(device, "lock.jammed")
        town.later(seconds=10)
        town.send(device, "lock.locked")
        town.later(seconds=10)


def test_five_transitions_in_five_minutes_are_no_chatter() -> None:
    town = Town()
    swing(town, 2)
    (alert,) = [one for one in town.state.alerts.values() if one.device == LOCK]
    assert not alert.latched


def test_slow_swings_are_no_chatter() -> None:
    town = Town()
    swing(town, 8, pause_s=120)
    (alert,) = [one for one in town.state.alerts.values() if one.device == LOCK]
    assert not alert.latched


def test_six_transitions_in_five_minutes_latch_one_alert_that_rings_no_more() -> None:
    town = Town()
    swing(town, 5)
    (alert,) = [one for one in town.state.alerts.values() if one.device == LOCK]
    assert (alert.latched, alert.active, alert.values["chatters"]) == (True, True, True)
    assert swing(town, 5) == 0
    assert [one.id for one in town.state.alerts.values() if one.device == LOCK] == [alert.id]


def test_what_is_remembered_of_it_goes_when_it_came_to_rest() -> None:
    town = Town()
    swing(town, 2)
    town.later(minutes=6)
    assert not town.state.recall("incident", f"{LOCK}/~device_offline")


def test_a_call_for_help_is_never_taken_for_noise() -> None:
    town = Town()
    for _ in range(8):
        assert town.send(PENDANT, "alarm.manual", presses=1).deliveries
        town.later(seconds=5)
