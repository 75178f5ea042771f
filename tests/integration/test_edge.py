"""A real edge and a real gateway: kills, cut links, and the order of what comes through."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from edge_home import DEVICES, EdgeProcess, Proxy, Sensor, alerts_of, logged_of, order_of, write_registry
from typer.testing import CliRunner

from gateway.__main__ import app
from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import free_port, wait_for

EVENTS = 1000
RUN = CliRunner()


@pytest.fixture
def house() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def centre(house: ExitStack, folder: Path, heartbeat_s: float = 3600) -> GatewayProcess:
    registry = write_registry(folder, heartbeat_s)
    found = GatewayProcess(folder, registry=str(registry), watch={"round_trip": False})
    found.start()
    house.callback(found.stop)
    return found


def edge_of(house: ExitStack, folder: Path, *urls: str, **more: object) -> EdgeProcess:
    links = [{"name": f"link-{number}", "url": url} for number, url in enumerate(urls, 1)]
    found = EdgeProcess(folder, links, **more)
    found.start()
    house.callback(found.stop)
    found.wait()
    return found


def sensor(house: ExitStack, name: str, edge: EdgeProcess) -> Sensor:
    found = Sensor(name, edge.port)
    house.callback(found.close)
    return found


def test_kills_of_edge_and_gateway_lose_nothing_double_nothing_and_keep_the_order(
    house: ExitStack, tmp_path: Path
) -> None:
    gateway = centre(house, tmp_path)
    edge = edge_of(house, tmp_path, gateway.url)
    speaker = sensor(house, DEVICES[0], edge)
    victims = {300: edge, 600: gateway}
    for number in range(1, EVENTS + 1):
        speaker.say()
        if number in victims:
            victim = victims[number]
            wait_for(lambda number=number: len(logged_of(gateway, DEVICES[0])) > number - 120)
            victim.kill()
            victim.start()
    wait_for(lambda: speaker.unanswered() == 0)
    wait_for(lambda: len(logged_of(gateway, DEVICES[0])) == EVENTS, within_s=120)
    wait_for(lambda: edge.queued() == 0)
    assert logged_of(gateway, DEVICES[0]) == list(range(1, EVENTS + 1)), (
        "each once, in the order of the device"
    )


def test_the_second_link_is_used_when_the_first_is_cut_and_the_first_again_when_it_holds(
    house: ExitStack, tmp_path: Path
) -> None:
    gateway = centre(house, tmp_path)
    first, second = Proxy(gateway.listener_port), Proxy(gateway.listener_port)
    house.callback(first.close)
    house.callback(second.close)
    edge = edge_of(house, tmp_path, first.url, second.url)
    speaker = sensor(house, DEVICES[0], edge)
    for cut, mended, taken in ((None, None, first), (first, None, second), (None, first, None)):
        if cut is not None:
            cut.cut()
        if mended is not None:
            mended.mend()
            wait_for(lambda: "back to the link link-1" in edge.log())
        before = taken.taken if taken is not None else 0
        for _ in range(20):
            speaker.say()
        wait_for(lambda: len(logged_of(gateway, DEVICES[0])) == speaker.said)
        assert taken is None or taken.taken >= max(1, before)
    assert logged_of(gateway, DEVICES[0]) == list(range(1, 61))
    assert "link link-2: connected" in edge.log()
    assert alerts_of(gateway, "t/edge-1") == [], "a change of links is no lost contact"


def test_both_links_cut_is_told_in_time_and_restored_comes_everything_help_first(
    house: ExitStack, tmp_path: Path
) -> None:
    gateway = centre(house, tmp_path, heartbeat_s=2)
    proxies = [Proxy(gateway.listener_port), Proxy(gateway.listener_port)]
    for proxy in proxies:
        house.callback(proxy.close)
    silent_first = {"lost_after_s": 600}  # so that missing heartbeats tell, and not the last will
    edge = edge_of(house, tmp_path, *(proxy.url for proxy in proxies), uplink=silent_first)
    talkers = [sensor(house, name, edge) for name in DEVICES]
    talkers[0].say()
    wait_for(lambda: logged_of(gateway, DEVICES[0]) == [1])
    for proxy in proxies:
        proxy.cut()
    cut_at = time.monotonic()
    for _ in range(100):
        talkers[0].say()
        talkers[1].say()
    talkers[2].say("device.online")
    talkers[2].say("test")
    wait_for(lambda: edge.queued() >= 202)
    talkers[2].say("alarm.manual")
    wait_for(lambda: all(talker.unanswered() == 0 for talker in talkers))
    wait_for(lambda: "device_silent" in alerts_of(gateway, "t/edge-1"), within_s=30)
    assert time.monotonic() - cut_at < 3 * 2 + 20, "three heartbeats, and what a busy machine may need"
    for proxy in proxies:
        proxy.mend()
    wait_for(lambda: all(len(logged_of(gateway, one.name)) >= one.said - 1 for one in talkers), within_s=60)
    wait_for(lambda: edge.queued() == 0)
    for talker in talkers[:2]:
        assert logged_of(gateway, talker.name) == list(range(1, talker.said + 1))
    told = order_of(gateway)[1:]
    help_at = next(place for place, (_, word) in enumerate(told) if word == "alarm.manual")
    assert help_at <= 2, f"before the call came {told[:help_at]}"
    assert [word for device, word in told if device == DEVICES[2]][-1] == "alarm.manual", "its order is kept"


def test_an_edge_that_stops_says_so_and_the_trace_names_it(house: ExitStack, tmp_path: Path) -> None:
    gateway = centre(house, tmp_path)
    edge = edge_of(house, tmp_path, gateway.url)
    speaker = sensor(house, DEVICES[2], edge)
    speaker.say("alarm.manual")
    wait_for(lambda: logged_of(gateway, DEVICES[2]) == [1])
    assert edge.stop() == 0
    gateway.stop()
    found = RUN.invoke(app, ["journal", "export", "--data", str(gateway.data)]).stdout.splitlines()
    frames = [line for line in found if "/edge-1/frame" in line]
    position = frames[-1].split('"position": ')[1].split(",")[0]
    told = RUN.invoke(app, ["trace", position, "--data", str(gateway.data)]).stdout
    assert "1 edge       heard by listener of the edge t/edge-1: mqtt vaka/1/t/pendant-1/event" in told
    assert "alarm.manual of t/pendant-1" in told
    assert any('"stopped"' in line or "stopped" in line for line in found if "/edge-1/status" in line)


def test_a_configuration_with_faults_is_one_line_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('[identity]\ntenant = "t"\nname = "e"\n[[link]]\nname = "a"\nurl = "http://x"\n')
    found = RUN.invoke(app, ["edge", "check", "--config", str(path)])
    assert found.exit_code == 2
    assert f"{path}: link.0.url: found 'http://x'; allowed: mqtt://host:port" in found.output
    path.write_text(
        f'data_dir = "{tmp_path}"\n[identity]\ntenant = "t"\nname = "e"\npassword = "p"\n'
        '[[link]]\nname = "a"\nurl = "mqtts://x"\nca = "/nowhere.pem"\n'
        '[[device]]\nid = "d"\nadapter = "nothing"\nnative_id = "d"\n'
    )
    found = RUN.invoke(app, ["edge", "check", "--config", str(path)])
    assert (found.exit_code, "device.adapter: found 'nothing'" in found.output) == (2, True)
    assert str(path) in found.output
    assert RUN.invoke(app, ["edge"]).exit_code == 2


def test_a_broken_queue_is_set_aside_and_the_edge_serves(house: ExitStack, tmp_path: Path) -> None:
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge" / "queue.db").write_bytes(b"no database" * 1000)
    edge = edge_of(house, tmp_path, f"mqtt://127.0.0.1:{free_port()}")
    wait_for(lambda: edge.queued() == 1)
    assert list((tmp_path / "edge").glob("queue.db.broken-*")), "what could be saved of it lies there"
