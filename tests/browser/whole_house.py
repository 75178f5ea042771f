"""A whole gateway on a free port in a thread of its own, for tests that look at it from outside."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx

from gateway.config import Settings
from gateway.model.alert import Alert
from gateway.model.frame import Frame, Transport
from gateway.wiring import Gateway

T = TypeVar("T")
WITHIN_S = 60.0

REGISTRY = """
[[tenant]]
id = "t"
name = "Testköping"
[[unit]]
id = "u"
tenant = "t"
name = "Unit"
[[team]]
id = "night"
unit = "u"
name = "Night"
[[team]]
id = "tech"
unit = "u"
name = "Technicians"
[[ladder]]
id = "care"
tenant = "t"
steps = [{ to = ["night"] }]
[[ladder]]
id = "technical"
tenant = "t"
steps = [{ to = ["tech"] }]
"""

EMPTY = """
[[home]]
id = "home-empty"
tenant = "t"
unit = "u"
care_ladder = "care"
technical_ladder = "technical"
"""
"""Where nobody lives."""

DEVICES = {
    "t/sos-1": ("social_alarm", "home-17", ""),
    "t/sos-2": ("social_alarm", "home-23", ""),
    "t/gps-1": ("gps_alarm", "home-31", ""),
    "t/lock-1": ("lock", "home-17", "entrance_door"),
    "t/dispenser-1": ("medication_dispenser", "home-23", ""),
    "t/camera-1": ("camera", "home-31", ""),
}


def registry_file(folder: Path, more: str = "") -> Path:
    lines = [REGISTRY, EMPTY, more]
    for home in sorted({home for _, home, _ in DEVICES.values()}):
        ladders = 'care_ladder = "care"\ntechnical_ladder = "technical"'
        lines.append(f'[[home]]\nid = "{home}"\ntenant = "t"\nunit = "u"\n{ladders}')
        lines.append(f'[[person]]\nref = "person-{home[-2:]}"\nhome = "{home}"')
    for name, (kind, home, role) in DEVICES.items():
        lines.append(f'[[device]]\nid = "{name}"\nnative_id = "{name}"\nkind = "{kind}"')
        lines.append('tenant = "t"\nadapter = "vaka"')
        lines.append(
            f'[[enrolment]]\ndevice = "{name}"\nhome = "{home}"\nperson = "person-{home[-2:]}"\n'
            f'since = 2026-01-01T00:00:00Z\nrole = "{role}"\nsupervised = false'
        )
    path = folder / "registry.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


class House:
    """The running gateway, and the hands of its devices."""

    def __init__(self, gateway: Gateway, loop: asyncio.AbstractEventLoop) -> None:
        self.gateway = gateway
        self.loop = loop
        self.url = gateway.page.rstrip("/")
        self._numbers = count(1)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WITHIN_S)

    def frame(self, frame: Frame) -> int:
        """Journal a frame and wait until the engine has passed it."""

        async def taken() -> int:
            position = await self.gateway.intake.accept(frame)
            await self.gateway.board.settled(position, WITHIN_S)
            return position

        return self.call(taken())

    def frame_passed(self) -> None:
        """Wait until the engine has passed all that is journalled by now."""

        async def passed() -> None:
            await self.gateway.board.settled(self.gateway.journal.last(), WITHIN_S)

        self.call(passed())

    def send(self, device: str, word: str, *, ago_s: float = 0, **data: Any) -> int:
        event = {
            "specversion": "1.0",
            "id": f"{device}-{next(self._numbers)}",
            "source": f"vaka:{device}",
            "type": f"vaka.{word}.v1",
            "time": (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat(),
            "clockquality": "synced",
            "data": data,
        }
        return self.raw(f"vaka/1/{device}/event", json.dumps(event).encode())

    def raw(self, channel: str, payload: bytes) -> int:
        return self.frame(Frame(Transport.MQTT, channel, payload, datetime.now(UTC), ingress="listener"))

    def alerts(self) -> list[Alert]:
        async def read() -> list[Alert]:
            return self.gateway.board.open_alerts()

        return self.call(read())

    def alert(self, text: str) -> Alert:
        """Return the one open alert with this text."""
        (found,) = [alert for alert in self.alerts() if alert.text == text]
        return found

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=WITHIN_S, trust_env=False, **options)

    def browser_like(self) -> httpx.Client:
        """Return a client that sends what a page of ours would send with a change."""
        with self.client() as asking:
            token = asking.get("/api/v1/session").json()["forgery_token"]
        return self.client(headers={"Origin": self.url, "X-Vaka-Token": token})

    def close_all(self) -> None:
        """Close every open alert as somebody who has seen it."""
        with self.browser_like() as client:
            for alert in self.alerts():
                said = {"outcome": "test", "seen_count": alert.count}
                client.post(f"/api/v1/alerts/{alert.id}/close", json=said).raise_for_status()

    def wait(self, fits: Callable[[], bool]) -> None:
        """Wait until something is so, asking on the gateway's own loop."""

        async def until() -> None:
            async with asyncio.timeout(WITHIN_S):
                while not fits():
                    await asyncio.sleep(0.01)

        self.call(until())


@contextmanager
def running(
    folder: Path,
    channels: dict[str, Any] | None = None,
    *,
    listens: bool = False,
    more_registry: str = "",
    taps: dict[str, Any] | None = None,
    **api: Any,
) -> Iterator[House]:
    """Start a gateway over a folder.

    `api` are settings of its HTTP side, `taps` its receivers outside, `more_registry` is TOML.
    """
    settings = Settings.model_validate(
        {
            "data_dir": folder / "data",
            "registry": registry_file(folder, more_registry),
            "listener": {"enabled": listens, "port": 0},
            "watch": {"round_trip": False},
            "api": {"port": 0, **api},
            "channels": channels or {},
            "taps": taps or {},
        }
    )
    (folder / "data").mkdir(exist_ok=True)
    started: Future[House] = Future()
    stop: list[Callable[[], None]] = []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        stop.append(lambda: loop.call_soon_threadsafe(stopping.set) and None)
        gateway = Gateway(settings)

        async def ready() -> None:
            started.set_result(House(gateway, loop))

        await gateway.run(stopping, ready)

    def work() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=work, name="gateway")
    thread.start()
    try:
        yield started.result(WITHIN_S)
    finally:
        if stop:
            stop[0]()
        thread.join(WITHIN_S)
        assert not thread.is_alive(), "the gateway did not stop"
