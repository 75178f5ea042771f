"""A reference device, written from the interface's page; `fault` names the one clause that it breaks."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec

from simulators.mutants.grants import fits, signed
from simulators.mutants.kinds import KINDS, NEED_GRANT, SAYS_WRONGLY, kind_of
from simulators.mutants.link import Wire
from simulators.outputs import Message
from simulators.protocol.client import Login
from simulators.protocol.loop import VirtualClock
from simulators.protocol.network import NetworkLoop

NEVER_SET = datetime(2020, 1, 1, tzinfo=UTC)
FIRMWARE = "1.0.0"
LOW_PERCENT = 20
FAST = timedelta(seconds=8)
"""How wrong the clock of VDI-EVT-13's device is."""
JUMP = 10_000
FAR = 100 * JUMP
LATER_S = 1.0
SUNG = (
    b'{"specversion":"1.0","id":"sung","type":"vaka.lock.sung.v1","time":"2026-11-23T08:00:00Z",'
    b'"clockquality":"synced","data":{}}'
)
TOO_MUCH = b'{"readings":["' + b"a" * 70_000 + b'"]}'
BESIDE: dict[str, tuple[str, bytes]] = {
    "VDI-MQTT-02": ("debug", b"{}"),
    "VDI-MQTT-03": ("event", b""),
    "VDI-ENC-01": ("event", b'{"specversion":"\xff"}'),
    "VDI-ENC-02": ("event", b"locked"),
    "VDI-EVT-03": ("event", SUNG),
    "VDI-STA-01": ("status", b'{"state":"asleep"}'),
    "VDI-STA-02": ("status", b'{"state":"online","battery":400,"firmware":"1.0.0"}'),
    "VDI-TEL-01": ("telemetry", b'{"readings":[]}'),
}
"""What the faulty device of a clause says once beside all that is right."""
FIELDS: dict[str, tuple[str, Any]] = {
    "VDI-EVT-01": ("specversion", "0.3"),
    "VDI-EVT-05": ("source", "vaka:demo/another"),
    "VDI-EVT-09": ("clockquality", "perfect"),
}
"""The one field of each event that is wrong."""


class Device:
    """One device of a kind, over MQTT in virtual time; `do` is its test hook."""

    def __init__(self, loop: NetworkLoop, start: datetime, login: Login, fault: str = "") -> None:
        self.kind, self.fault = KINDS[kind_of(fault)], fault
        self.actions = frozenset({"event", "reset", "battery", "clock"})
        self._loop, self._login = loop, login
        self._clock = VirtualClock(loop, start)
        self._base = f"vaka/1/{login.name}"
        self._sequence = FAR if fault in {"VDI-EVT-11", "VDI-EVT-12"} else 0
        self._percent, self._token = 90.0, 0
        self._synced, self._beaten = True, 0.0
        self._pending: dict[int, Message] = {}
        self._done: dict[str, str] = {}
        self._config: dict[str, Any] = {"revision": 0}
        self._keys: dict[str, str] = {}
        self._beside = BESIDE.get(fault)
        self.link = self._power_on()

    # -- power and link

    def on(self) -> None:
        """Connect."""
        quality = 0 if self.fault == "VDI-MQTT-09" else 1
        said = {"state": "offline"} | ({"time": self._time()} if self.fault == "VDI-MQTT-06" else {})
        self.link.up(Message(f"{self._base}/status", msgspec.json.encode(said), quality, retain=True))

    def off(self) -> None:
        """Lose power."""
        self.link.down()

    def _power_on(self) -> Wire:
        chance = Random(1)  # noqa: S311 - spreads waits, the same in each run
        wire = Wire(self._loop, self._login, chance, self._acknowledged)
        wire.fault, wire.online, wire.broken, wire.heard = self.fault, self._online, self._broken, self._hear
        wire.now = self._time
        self._boots = True
        return wire

    def _reset(self) -> None:
        self.link.broken = _nothing
        self.link.down()
        if self.fault == "VDI-EVT-12":
            self._jump()
        if self.fault == "VDI-MQTT-17":
            self._pending.clear()
        self.link = self._power_on()
        for token, message in self._pending.items():
            self.link.publish(message, token, again=True)
        self.on()

    def _online(self) -> None:
        """Hear that it is connected: tell the status."""
        if self._boots or self.fault != "VDI-MQTT-10":
            self._status()
        if self._boots:
            self._boots = False
            self._say_beside()

    def _broken(self) -> None:
        if self.fault == "VDI-EVT-11":
            self._jump()

    def _jump(self) -> None:
        """Begin to count anew, below all numbers there were, and use none of them twice."""
        self._sequence = (self._sequence // JUMP - 1) * JUMP

    def _acknowledged(self, token: int) -> None:
        self._pending.pop(token, None)

    # -- what it says

    def _say_beside(self) -> None:
        if self._beside is not None:
            branch, payload = self._beside
            self._beside = None
            self.link.publish(Message(f"{self._base}/{branch}", payload, retain=branch == "status"))
        if self.fault == "VDI-MQTT-01":
            self.link.publish(Message("vaka/1/demo/another/event", b"{}"))
        elif self.fault == "VDI-MQTT-04":
            self.fault = ""
            self.link.publish(Message(f"{self._base}/telemetry", TOO_MUCH, 0))
        words = "lock.unlocked" if self.fault == "VDI-TEL-02" else "heartbeat"
        batch = {"readings": [{"type": f"vaka.{words}.v1", "time": self._time(), "data": {}}]}
        retain = self.fault == "VDI-MQTT-07"
        self.link.publish(Message(f"{self._base}/telemetry", msgspec.json.encode(batch), retain=retain))

    def _status(self) -> None:
        said: dict[str, Any] = {"state": "online", "firmware": FIRMWARE, "battery": self._percent}
        said["config_revision"] = self._config["revision"]
        for clause, name in (
            ("VDI-STA-03", "firmware"),
            ("VDI-STA-04", "battery"),
            ("VDI-CFG-01", "config_revision"),
        ):
            if self.fault == clause:
                del said[name]
        retain = self.fault != "VDI-MQTT-08"
        self.link.publish(Message(f"{self._base}/status", msgspec.json.encode(said), retain=retain))

    def _time(self) -> str:
        now = self._clock.now() + (FAST if self.fault == "VDI-EVT-13" else timedelta())
        if not self._synced:
            now = NEVER_SET + (now - self._clock.start)
        text = now.isoformat(timespec="milliseconds")
        return text[: -len("+00:00")] if self.fault == "VDI-EVT-06" else text

    def event(self, word: str, **data: Any) -> None:
        """Say that something happened, and keep it until it is acknowledged."""
        self._sequence += 0 if self.fault == "VDI-EVT-08" and self._sequence % JUMP == 1 else 1
        self._token += 1
        good = self._synced or self.fault == "VDI-EVT-15"
        body = {
            "specversion": "1.0",
            "id": f"e-{self._token}",
            "source": f"vaka:{self._login.name}",
            "type": f"vaka.{word}.v1",
            "time": self._time(),
            "sequence": self._sequence,
            "clockquality": "synced" if good else "unsynced",
            "data": self.kind.words.get(word, {}) | data,
        }
        self._spoil(body)
        message = Message(f"{self._base}/event", msgspec.json.encode(body))
        self._pending[self._token] = message
        self.link.publish(message, self._token)

    def _spoil(self, body: dict[str, Any]) -> None:
        if self.fault in FIELDS:
            name, value = FIELDS[self.fault]
            body[name] = value
        elif self.fault in SAYS_WRONGLY:
            body["data"] = body["data"] | SAYS_WRONGLY[self.fault]
        elif self.fault == "VDI-GPS-02":
            body["data"] = {key: value for key, value in body["data"].items() if key != "accuracy_m"}

    # -- what is done to it

    async def do(self, action: str, values: Mapping[str, Any]) -> None:
        """Do what the tester asks of the hook."""
        data = values.get("data", {})
        act = {
            "event": lambda: self._happens(values["type"], data),
            "reset": self._reset,
            "battery": lambda: self._charge(values["percent"]),
            "clock": lambda: self._set_clock(good=not values.get("unset")),
        }[action]
        self._loop.call_later(values.get("after_s", 0), act)

    def _happens(self, word: str, data: Mapping[str, Any]) -> None:
        self.event(word, **data)
        if self.fault == "VDI-EVT-16":
            self._loop.call_later(LATER_S, lambda: self.event(word, **data))

    def _charge(self, percent: float) -> None:
        self._percent = percent
        if percent <= LOW_PERCENT and self.fault != "VDI-EVT-17":
            self.event("battery.low", battery_percent=percent)

    def _set_clock(self, *, good: bool) -> None:
        self._synced = good

    # -- what it hears

    def _hear(self, _device: str, leaf: str, payload: bytes) -> None:
        body = msgspec.json.decode(payload)
        if leaf == "config":
            self._configure(body)
        elif leaf == "command":
            self._command(body)

    def _configure(self, body: dict[str, Any]) -> None:
        if self.fault == "VDI-EVT-10" and "a_field_of_tomorrow" in body:
            return
        possible = body.get("heartbeat_s", 1) >= 1
        if body["revision"] == self._config["revision"] or not (possible or self.fault == "VDI-CFG-02"):
            return
        self._config = body
        self._keys |= {key["kid"]: key["x"] for key in body.get("grant_keys", ())}
        self._status()
        self._beat(body)

    def _beat(self, config: dict[str, Any]) -> None:
        seconds = config.get("heartbeat_s")
        if seconds and seconds > 0 and config is self._config:
            self._loop.call_later(seconds, self._beats, config)

    def _beats(self, config: dict[str, Any]) -> None:
        if config is self._config:
            self.event("heartbeat")
            self._beat(config)

    def _command(self, body: dict[str, Any]) -> None:
        name = body["id"]
        if name not in self._done or self.fault == "VDI-CMD-03":
            self._done[name] = self._obey(body)
        outcome = self._done[name]
        if self.fault == "VDI-CMD-01" and outcome == "done" and body["do"] == "unlock":
            return
        self._result({"id": name, "outcome": outcome})
        if self.fault == "VDI-RES-01":
            self._result({"id": name})

    def _result(self, body: dict[str, Any]) -> None:
        quality = 0 if self.fault == "VDI-MQTT-05" else 1
        self.link.publish(Message(f"{self._base}/result", msgspec.json.encode(body), quality))

    def _obey(self, body: dict[str, Any]) -> str:
        word = self.kind.commands.get(body["do"])
        if word is None:
            return "done" if self.fault == "VDI-CMD-04" else "rejected"
        now = self._clock.now()
        if datetime.fromisoformat(body["expires"]) < now and self.fault != "VDI-CMD-02":
            return "expired"
        if body["do"] in NEED_GRANT and not self._granted(body, now):
            return "rejected"
        if self.fault != "VDI-GPS-03":
            self.event(word)
        return "done"

    def _granted(self, body: dict[str, Any], now: datetime) -> bool:
        claims = signed(body.get("grant", ""), self._keys)
        if claims is None:
            return self.fault == "VDI-CMD-05"
        audience = f"vaka:{self._login.name}"
        return self.fault == "VDI-CMD-06" or fits(claims, body, audience, now.timestamp())


def _nothing() -> None:
    """Hear nothing: without power there is nobody."""
