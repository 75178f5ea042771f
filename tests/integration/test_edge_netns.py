"""An edge with two network interfaces in a network namespace of its own, and links that are set down."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from edge_home import DEVICES, EdgeProcess, Sensor, alerts_of, logged_of, order_of, write_registry

from gateway.service.logins import hash_secret
from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import wait_for

IP = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
HEARTBEAT_S = 4
"""Three of them are more than a busy machine keeps an edge from its second link."""
PASSWORD = "a-password-of-the-tests"
HOME, FIRST, SECOND = range(3)


def ip(*words: str) -> bool:
    assert IP
    return subprocess.run([IP, *words], check=False, capture_output=True).returncode == 0


class Namespace:
    """A home with three cables: to the devices in it, and two to the centre."""

    def __init__(self) -> None:
        self.name = f"vaka{os.getpid()}"
        self.net = 16 + os.getpid() % 200

    def make(self) -> bool:
        made = ip("netns", "add", self.name) and ip("-n", self.name, "link", "set", "lo", "up")
        return made and all(self._cable(number) for number in (HOME, FIRST, SECOND))

    def remove(self) -> None:
        for number in (HOME, FIRST, SECOND):
            ip("link", "del", self._end(number, "c"))
        ip("netns", "del", self.name)

    def here(self, number: int) -> str:
        return f"10.{self.net}.{number}.1"

    def there(self, number: int) -> str:
        return f"10.{self.net}.{number}.2"

    def interface(self, number: int) -> str:
        """Return the name of a cable's end in the home."""
        return self._end(number, "e")

    def set(self, number: int, state: str) -> None:
        assert ip("link", "set", self._end(number, "c"), state)

    def _cable(self, number: int) -> bool:
        near, far = self._end(number, "c"), self._end(number, "e")
        return (
            ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", self.name)
            and ip("addr", "add", f"{self.here(number)}/24", "dev", near)
            and ip("link", "set", near, "up")
            and ip("-n", self.name, "addr", "add", f"{self.there(number)}/24", "dev", far)
            and ip("-n", self.name, "link", "set", far, "up")
        )

    def _end(self, number: int, side: str) -> str:
        return f"vk{os.getpid() % 1_000_000}{side}{number}"


@pytest.fixture
def home() -> Iterator[Namespace]:
    found = Namespace()
    try:
        if IP is None or os.geteuid() != 0 or not found.make():
            pytest.skip("needs root and network namespaces (ip netns add, veth)")
        yield found
    finally:
        if IP is not None:
            found.remove()


def centre(stack: ExitStack, folder: Path) -> GatewayProcess:
    registry = write_registry(folder, HEARTBEAT_S)
    gateway = GatewayProcess(
        folder,
        registry=str(registry),
        watch={"round_trip": False},
        listener={"host": "0.0.0.0"},
    )
    gateway.start()
    stack.callback(gateway.stop)
    return gateway


def edge_in(stack: ExitStack, home: Namespace, folder: Path, port: int) -> EdgeProcess:
    links = [
        {"name": name, "url": f"mqtt://{home.here(number)}:{port}", "interface": home.interface(number)}
        for name, number in (("first", FIRST), ("second", SECOND))
    ]
    devices = [
        {"id": name, "adapter": "vaka", "native_id": name, "secret": hash_secret(PASSWORD)}
        for name in DEVICES
    ]
    listener = {"host": home.there(HOME), "anonymous": False}
    edge = EdgeProcess(folder, links, listener=listener, device=devices, uplink={"lost_after_s": 600})
    edge.before = (IP or "ip", "netns", "exec", home.name)
    edge.start()
    stack.callback(edge.stop)
    edge.wait()
    return edge


def test_links_set_down_and_up_lose_nothing_keep_the_order_and_let_help_go_first(
    home: Namespace, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        gateway = centre(stack, tmp_path)
        edge = edge_in(stack, home, tmp_path, gateway.listener_port)
        talkers = [Sensor(name, edge.port, edge.host, PASSWORD) for name in DEVICES]
        for talker in talkers:
            stack.callback(talker.close)

        def all_there() -> bool:
            return all(logged_of(gateway, one.name) == list(range(1, one.said + 1)) for one in talkers)

        def talk(times: int) -> None:
            for _ in range(times):
                talkers[0].say()
                talkers[1].say()

        talk(10)
        wait_for(all_there)
        home.set(FIRST, "down")
        talk(20)
        wait_for(all_there)
        assert "link second: connected" in edge.log()
        assert alerts_of(gateway, "t/edge-1") == []
        known = len(order_of(gateway))
        home.set(SECOND, "down")
        cut_at = time.monotonic()
        talk(100)
        wait_for(lambda: edge.queued() >= 200)
        talkers[2].say("test")
        talkers[2].say("alarm.manual")
        wait_for(lambda: "device_silent" in alerts_of(gateway, "t/edge-1"))
        assert time.monotonic() - cut_at < 3 * HEARTBEAT_S + 40, "three heartbeats, and a busy machine"
        home.set(FIRST, "up")
        home.set(SECOND, "up")
        wait_for(all_there, within_s=90)
        told = order_of(gateway)[known:]
        help_at = next(place for place, (_, word) in enumerate(told) if word == "alarm.manual")
        assert help_at <= edge.settings["uplink"].get("in_flight", 32) + 1, (
            "only what was on its way came before"
        )
        wait_for(lambda: edge.queued() == 0)
