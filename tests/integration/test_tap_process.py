"""The process of the taps: killed, hanging, unfit, left alone; no alert waits and nothing is lost."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from refusing_receiver import SECRET, Receiver, refusing

from gateway.config import Settings
from gateway.contract import ConfigurationError
from gateway.service import tap_process
from gateway.service.tap_talk import Unfit, line_of
from gateway.wiring import Gateway
from tests.browser.whole_house import House, registry_file, running
from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import wait_for

AWAY = {"cloudevents": [{"name": "nobody", "url": "http://127.0.0.1:9/hook", "secret": SECRET}]}


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[House, Receiver]]:
    with refusing() as (receiver, taps), running(tmp_path, taps=taps) as house:
        receiver.refuses = ""
        yield house, receiver


def pid_of(house: House) -> int:
    wait_for(lambda: house.gateway.taps.pid is not None)
    found = house.gateway.taps.pid
    assert found is not None
    return found


def through(house: House) -> bool:
    return bool(house.gateway.taps.report()["records"]["behind_frames"] == 0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hanging"])
def test_a_process_that_is_killed_or_hangs_is_replaced_and_everything_arrives_once(
    both: tuple[House, Receiver], how: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, receiver = both
    monkeypatch.setattr(tap_process, "SILENT_S", 8.0)  # four times what it says at least
    house.send("t/lock-1", "lock.locked")
    wait_for(lambda: len(receiver.got) == 1)
    wait_for(lambda: through(house))
    first = pid_of(house)
    os.kill(first, how)
    house.send("t/sos-1", "alarm.manual", presses=1)
    assert any(one.device == "t/sos-1" for one in house.alerts()), "it is there whatever the taps do"
    wait_for(lambda: house.gateway.taps.report()["records"]["fault"])
    monkeypatch.undo()
    told = house.gateway.taps.report()["records"]
    assert told["fault"].startswith("the process of the taps ")
    assert told["behind_frames"] > 0
    wait_for(lambda: not house.gateway.taps.report()["records"]["fault"])
    wait_for(lambda: through(house))
    assert len(receiver.got) == len(set(receiver.got)) > 1
    assert pid_of(house) != first
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_the_process_ends_with_a_gateway_that_is_killed(tmp_path: Path) -> None:
    with refusing() as (_, taps):
        registry = str(registry_file(tmp_path))
        gateway = GatewayProcess(tmp_path, registry=registry, **{"taps.cloudevents": taps["cloudevents"]})
        gateway.start()
        (child,) = gateway.children()
        assert b"gateway.tap_child" in Path(f"/proc/{child}/cmdline").read_bytes()
        os.kill(gateway.pid, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{child}").exists())
        gateway.kill()


def test_settings_that_only_the_taps_can_judge_stop_the_start_in_plain_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = line_of(Unfit("taps.strange: url: found 'x'; allowed: y")).decode()
    told = f"import sys; sys.stdout.write({says!r}); sys.stdout.flush(); sys.stdin.read()"
    monkeypatch.setattr(tap_process, "COMMAND", (sys.executable, "-S", "-c", told))
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "api": {"port": 0}, "listener": {"port": 0}, "taps": AWAY}
    )
    with pytest.raises(ConfigurationError, match=r"taps\.strange: url: found 'x'"):
        asyncio.run(Gateway(settings).run(asyncio.Event()))


def test_a_process_that_cannot_be_started_at_all_is_a_fault_and_the_gateway_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tap_process, "COMMAND", (str(tmp_path / "nothing"),))
    monkeypatch.setattr(tap_process, "READY_WITHIN_S", 0.1)
    with running(tmp_path, taps=AWAY) as house:
        wait_for(lambda: house.gateway.taps.report()["nobody"]["fault"])
        assert "cannot be started" in house.gateway.taps.report()["nobody"]["fault"]
        house.send("t/sos-1", "alarm.manual", presses=1)
        assert any(one.device == "t/sos-1" for one in house.alerts())


def test_a_subscription_while_the_taps_are_down_is_an_error_of_ours_that_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tap_process, "COMMAND", (str(tmp_path / "nothing"),))
    monkeypatch.setattr(tap_process, "PATIENCE_S", 0.5)
    wanted = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "a test",
        "criteria": "Observation?",
        "channel": {"type": "rest-hook", "endpoint": "http://127.0.0.1:9/hook"},
    }
    with running(tmp_path) as house, house.browser_like() as client:
        made = client.post("/fhir/Subscription", json=wanted)
        assert (made.status_code, made.json()["issue"][0]["code"]) == (503, "transient")
        assert "cannot be started" in made.json()["issue"][0]["diagnostics"]
        assert made.headers["Retry-After"]
