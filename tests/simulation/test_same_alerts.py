"""One scenario file at every level in process: the same alerts, and everything that must hold."""

from datetime import timedelta
from pathlib import Path

import pytest

from simulators.driving.account import same_alerts
from simulators.driving.inprocess import Run
from simulators.driving.levels import LEVELS, Level
from simulators.house.fleet import Fleet
from simulators.house.keep import Digest
from simulators.scenarios.build import build
from simulators.scenarios.scenario import load_scenario

TROUBLE = Path(__file__).parent / "trouble.toml"


def run(level: Level, seed: int = 1) -> Run:
    done = Run(build(load_scenario(TROUBLE), seed), level)
    done.run()
    return done


def test_every_level_gives_the_same_alerts_and_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")
    runs = {level: run(level) for level in LEVELS}
    first = runs["fleet"].account.alerts
    assert {"sos", "lock_jammed", "fall"} <= {alert.rule for alert in first.values()}
    for level, one in runs.items():
        assert same_alerts(first, one.account.alerts) == [], level
        assert one.broken == [], level
        summary = one.summary()
        assert summary.crashes == 1
        assert summary.accepted is not None
        assert summary.good


def test_another_seed_is_another_night() -> None:
    assert run("fleet").account.digest != run("fleet", 2).account.digest


def test_a_difference_in_alerts_is_named() -> None:
    found = run("fleet").account.alerts
    less = {name: alert for name, alert in found.items() if alert.rule != "fall"}
    (line,) = same_alerts(found, less)
    assert line.startswith("- fall home-005")


def test_the_core_alone_acknowledges_at_once_unless_it_can_fall() -> None:
    play = build(load_scenario(TROUBLE).model_copy(update={"fault": ()}))
    gateway, told = Fleet(play.setting, Digest()), []
    play.run(gateway)
    assert len(play.medium.told) == len(play.medium.log)
    late = [play.medium.told[token] - sent.at for token, sent in play.medium.log.items()]
    assert max(late) < timedelta(minutes=1)
    assert told == []
