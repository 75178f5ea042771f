"""The simulators on real MQTT: everything arrives, also over a restart; the commands end cleanly."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic, time
from zoneinfo import ZoneInfo

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.config import load_registry
from gateway.model.registry import Registry
from simulators.broker import read_broker
from simulators.clock import FastClock
from simulators.driver import Driver, Tally
from simulators.evening import Evening
from simulators.files import write_municipality
from simulators.load import Plan, run_load
from simulators.municipality import make_municipality
from simulators.outputs import Link, Message, Step
from simulators.stage import Stage, play
from simulators.town import make_devices
from simulators.wire import protocol_of
from tests.integration.mosquitto import Broker as Mosquitto
from tests.integration.mosquitto import Peer, mosquitto, peer, wait_for

START = datetime(2026, 11, 22, 18, 30, tzinfo=ZoneInfo("Europe/Stockholm"))
SPEED = 1200
BOUND_S = 60

pytestmark = pytest.mark.mosquitto


def stage() -> Stage:
    registry = Registry(make_municipality(20, 1, since=START).document)
    return Stage(Evening(make_devices(registry, 1, START), 1, START).devices)


def drive(broker: Mosquitto, until: Callable[[], bool]) -> tuple[Tally, list[str]]:
    """Play the evening until the condition holds."""
    lines: list[str] = []

    async def run() -> Tally:
        stop = asyncio.Event()
        clock = FastClock(START, time(), SPEED)
        driver = Driver(stage(), read_broker(broker.url), {}, clock, lines.append)
        playing = asyncio.create_task(driver.run(stop))
        deadline = monotonic() + BOUND_S
        while not until():
            assert not playing.done()
            assert monotonic() < deadline
            await asyncio.sleep(0.05)
        stop.set()
        return await asyncio.wait_for(playing, BOUND_S)

    return asyncio.run(run()), lines


def expected(until: datetime) -> list[Step]:
    return list(play(stage(), until))


def payloads(steps: list[Step], leaf: str) -> set[bytes]:
    """The messages of devices whose link is up when the part of the evening ends."""
    up = {step.device: step.output.up for step in steps if isinstance(step.output, Link)}
    messages = [(s.device, s.output) for s in steps if isinstance(s.output, Message)]
    return {m.payload for device, m in messages if up.get(device) and m.topic.endswith(f"/{leaf}")}


def heard(listener: Peer, leaf: str) -> list[bytes]:
    return [payload for topic, payload, _ in list(listener.heard) if topic.endswith(f"/{leaf}")]


def test_the_evening_arrives_whole_and_lost_links_speak_their_last_will(tmp_path: Path) -> None:
    part = expected(START + timedelta(minutes=80))
    events, telemetry = payloads(part, "event"), payloads(part, "telemetry")
    with mosquitto(tmp_path) as broker, peer(broker) as listener:
        listener.subscribe("vaka/#")
        tally, lines = drive(broker, lambda: events <= set(heard(listener, "event")))
        wait_for(lambda: telemetry <= set(heard(listener, "telemetry")))
        wait_for(lambda: len(lost_links(listener)) >= 2)
        lost = lost_links(listener)
        with peer(broker) as late:
            late.subscribe("vaka/1/demo/+/status")
            wait_for(lambda: len(late.heard) >= 60)
            assert all(retained for _, _, retained in late.heard)
    assert {"vaka/1/demo/cam-003/status", "vaka/1/demo/disp-003/status"} <= lost
    assert tally.sent == tally.acknowledged
    assert tally.dropped == 0
    assert not tally.refused
    assert any("SOS, press 8" in line for line in lines)


def lost_links(listener: Peer) -> set[str]:
    return {topic for topic, payload, _ in listener.heard if b'"connection lost"' in payload}


def test_both_protocol_versions_are_spoken() -> None:
    spoken = {protocol_of(device) for device in stage().devices}
    assert spoken == {MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5}


@contextmanager
def keeper(broker: Mosquitto) -> Iterator[Peer]:
    """A subscriber whose session Mosquitto 2.0.11 keeps over a restart: never a clean start."""
    listener = Peer.__new__(Peer)
    listener.watch(paho.Client(CallbackAPIVersion.VERSION2, "keeper", clean_session=False))
    listener.client.connect("127.0.0.1", broker.port)
    listener.client.loop_start()
    listener.subscribe("vaka/#")
    yield listener
    listener.close()


def test_a_restart_of_the_broker_loses_no_event(tmp_path: Path) -> None:
    events = payloads(expected(START + timedelta(minutes=60)), "event")
    restarted = False
    lines = ["persistence true", f"persistence_location {tmp_path}/", "max_queued_messages 0"]
    with (
        mosquitto(tmp_path, config_lines=lines) as broker,
        keeper(broker) as listener,
    ):

        def half_way() -> bool:
            nonlocal restarted
            if not restarted and len(heard(listener, "event")) > 100:
                restarted = True
                broker.stop()
                broker.start()
            return events <= set(heard(listener, "event"))

        drive(broker, half_way)
    assert restarted


def test_a_command_on_the_wire_is_obeyed_and_answered(tmp_path: Path) -> None:
    expires = (START + timedelta(days=2)).isoformat()
    order = json.dumps({"id": "c-9", "do": "unlock", "expires": expires}).encode()
    with mosquitto(tmp_path) as broker, peer(broker) as operator:
        operator.subscribe("vaka/1/demo/lock-010/#")

        def answered() -> bool:
            # Before the lock has subscribed for the first time the broker keeps nothing for it: ask again.
            if heard(operator, "status") and not heard(operator, "result"):
                operator.publish("vaka/1/demo/lock-010/command", order)
            return bool(heard(operator, "result"))

        drive(broker, answered)
        assert json.loads(heard(operator, "result")[0])["outcome"] == "done"


def test_every_loaded_message_reaches_a_subscriber(tmp_path: Path) -> None:
    with mosquitto(tmp_path, config_lines=["max_queued_messages 0"]) as broker, peer(broker) as listener:
        listener.subscribe("vaka/#")
        plan = Plan(broker=read_broker(broker.url), connections=5, messages=2000, window=50)
        report = asyncio.run(run_load(plan, asyncio.Event()))
        wait_for(lambda: len(heard(listener, "event")) >= 2000, BOUND_S)
    assert report.acknowledged == 2000
    assert len({json.loads(payload)["id"] for payload in heard(listener, "event")}) == 2000


def command(*words: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "simulators", *words]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=BOUND_S, check=False)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_evening_is_made_played_and_stopped_by_commands(tmp_path: Path, how: signal.Signals) -> None:
    made = command("municipality", "--homes", "20", "--seed", "1", "--out", str(tmp_path / "town"))
    assert made.returncode == 0, made.stderr
    assert len(load_registry(tmp_path / "town" / "registry.toml").homes) == 20
    with mosquitto(tmp_path) as broker, peer(broker) as listener:
        listener.subscribe("vaka/#")
        options = ["--dir", str(tmp_path / "town"), "--broker", broker.url, "--speed", "600"]
        process = subprocess.Popen(
            [sys.executable, "-m", "simulators", "evening", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for(lambda: len(heard(listener, "event")) > 50, BOUND_S)
        process.send_signal(how)
        out, err = process.communicate(timeout=BOUND_S)
        assert not lost_links(listener)
    assert (process.returncode, err) == (0, "")
    assert "messages acknowledged" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["evening", "--dir", "/nowhere"], "/nowhere/registry.toml"),
        (["evening", "--dir", "{town}", "--start", "2026-11-22T10:00"], "18:30"),
        (["evening", "--dir", "{town}", "--start", "soon"], "2026-11-22T18:30:00+01:00"),
        (["evening", "--dir", "{town}", "--broker", "http://x"], "mqtt://host:port"),
        (["load", "--broker", "mqtt://127.0.0.1:9", "--patience-s", "1"], "no answer"),
        (["load", "--type", "nonsense"], "alarm.manual"),
        (["load", "--acked", "/nowhere/acked"], "/nowhere/acked"),
    ],
)
def test_a_mistake_is_one_line_and_no_traceback(tmp_path: Path, words: list[str], says: str) -> None:
    write_municipality(make_municipality(20, 1), tmp_path)
    done = command(*(word.format(town=tmp_path) for word in words))
    assert done.returncode == 2
    assert says in done.stderr.replace("\n", " ") or says in done.stderr
    assert "Traceback" not in done.stderr
