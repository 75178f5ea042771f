"""`vaka demo`: simulated homes and a scripted evening in fast time, on the real gateway over real MQTT."""

import asyncio
import json
import logging
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.commands.serve import serve
from gateway.config import Settings
from gateway.contract import ConfigurationError
from gateway.model.alert import Alert
from gateway.model.synthetic import SYNTHETIC
from gateway.service.clock import FastClock
from gateway.wiring import Gateway

log = logging.getLogger(__name__)

EVENING_STARTS = 18.5
"""Local hour at which the scripted evening begins."""
STOP_WITHIN_S = 5.0
ROUND_TRIP_S = 10


class Demo:
    """The gateway in this process, the devices in two others (one is a home with an edge); one fast clock."""

    def __init__(
        self, data: Path, *, homes: int, seed: int, speed: float, port: int, broker: str | None
    ) -> None:
        self._data = data
        self._speed = speed
        self._broker = broker
        midnight = datetime.now(ZoneInfo("Europe/Stockholm")).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        self._start = midnight + timedelta(hours=EVENING_STARTS)
        self._devices: list[subprocess.Popen[bytes]] = []
        self._watch: asyncio.Task[None] | None = None
        since = ("--since", self._start.isoformat())
        town = ("--homes", str(homes), "--seed", str(seed), "--out", str(data), "--bluetooth")
        _simulators("municipality", *town, *since)
        self._wall0 = time.time()
        self._share_clock()
        self._settings = self._settings_for(port)

    def run(self) -> None:
        """Play until Ctrl-C."""
        clock = FastClock(self._start, self._wall0, self._speed)
        try:
            serve(self._settings, clock, self._ready)
        finally:
            self._stop_devices()

    def _share_clock(self) -> None:
        """Write the clock for whoever plays a device by hand: `vaka sim press` tells the demo's time."""
        clock = {"start": self._start.isoformat(), "wall0": self._wall0, "speed": self._speed}
        (self._data / "clock.json").write_text(json.dumps([clock]), encoding="utf-8")

    def _settings_for(self, port: int) -> Settings:
        broker = [{"name": "demo", "url": self._broker, "client_id": "vaka-demo"}] if self._broker else []
        return Settings.model_validate(
            {
                "data_dir": self._data / "state",
                "registry": self._data / "registry.toml",
                "listener": {"enabled": not self._broker, "port": 0},
                "broker": broker,
                "api": {"port": port},
                "watch": {"every_s": ROUND_TRIP_S},
            }
        )

    async def _ready(self, gateway: Gateway) -> None:
        broker = self._broker or f"mqtt://127.0.0.1:{gateway.listener.port if gateway.listener else 0}"
        common = ("--dir", str(self._data), "--broker", broker)
        since = (
            "--start",
            self._start.isoformat(),
            "--wall0",
            repr(self._wall0),
            "--speed",
            repr(self._speed),
        )
        self._devices = [_start("evening", *common, *since), _start("radio-home", *common)]
        self._watch = asyncio.create_task(_tell(gateway), name="demo watch")
        homes = len(gateway.registry().homes)
        print(  # noqa: T201 - the command's own output
            f"\nVaka is watching {homes} simulated homes; the evening runs {self._speed:g} times as fast.\n"
            f"  Staff page      {gateway.page}          accept an alert, go on site, close it\n"
            f"  Where it stopped {gateway.page}trace    any message, step by step\n"
            f"  Devices         {gateway.page}devices   enrolled and discovered\n"
            f"  Health          {gateway.page}health    every part, and the last synthetic alarm\n"
            f"  Ways in         {broker}, and Bluetooth by a home's edge\n"
            f"  Press an SOS    vaka sim press social_alarm:2 --dir {self._data} --broker {broker}\n"
            "Stop with Ctrl-C.\n",
            flush=True,
        )

    def _stop_devices(self) -> None:
        for one in self._devices:
            one.terminate()
        until = time.monotonic() + STOP_WITHIN_S
        for one in self._devices:
            with suppress(subprocess.TimeoutExpired):
                one.wait(max(0.0, until - time.monotonic()))
            if one.poll() is None:
                one.kill()
                one.wait()


def demo(homes: int, seed: int, speed: float, port: int, broker: str | None) -> None:
    """Play the evening in a directory of its own, which goes when the demo ends."""
    with tempfile.TemporaryDirectory(prefix="vaka-demo-") as directory:
        Demo(Path(directory), homes=homes, seed=seed, speed=speed, port=port, broker=broker).run()


async def _tell(gateway: Gateway) -> None:
    """Say in the terminal what to look at when a new alert stands on the page."""
    told: set[str] = set()
    async with gateway.board.subscribe() as updates:
        async for update in updates:
            for alert in update.alerts:
                if alert.id not in told and alert.tenant != SYNTHETIC:
                    told.add(alert.id)
                    print(_say(alert, gateway.page), flush=True)  # noqa: T201 - as above


def _say(alert: Alert, page: str) -> str:
    late = f", {alert.late_s / 60:.0f} min late" if alert.late_s > 300 else ""
    at = alert.raised_at.astimezone(ZoneInfo("Europe/Stockholm"))
    what = f"{alert.severity.value.upper():6}  {alert.text} in {alert.home}{late}"
    return f"{at:%H:%M}  {what}   {page}alerts/{alert.id}"


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "simulators", *arguments]


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(_command(*arguments), stdin=subprocess.DEVNULL)  # noqa: S603 - our own program


def _simulators(*arguments: str) -> None:
    done = subprocess.run(_command(*arguments), check=False, capture_output=True, text=True)  # noqa: S603 - ours
    if done.returncode:
        raise ConfigurationError(f"the simulators cannot make the homes: {done.stderr.strip()[-400:]}")
