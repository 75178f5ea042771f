"""One action of one device on a running gateway: somebody presses the SOS."""

import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.config import load_registry
from gateway.contract.errors import ConfigurationError
from gateway.model.registry import Registry
from simulators.broker import Broker
from simulators.clock import CLOCK_FILE, SharedClock
from simulators.devices import Device
from simulators.files import REGISTRY_FILE, read_passwords
from simulators.outputs import Message
from simulators.town import make_devices

WITHIN_S = 10.0


class Pressed(msgspec.Struct, frozen=True):
    """What was sent: how many messages, and how long the last PUBACK took."""

    device: str
    messages: int
    took_ms: float


def press(folder: Path, broker: Broker, where: str, do: str) -> Pressed:
    """Let a device of that folder's registry do it now; ConfigurationError for what is not possible."""
    now = SharedClock(folder / CLOCK_FILE).now() if (folder / CLOCK_FILE).exists() else datetime.now(UTC)
    device = find(load_registry(folder / REGISTRY_FILE), where, now)
    device.linked = True
    messages = [output for output in device.act(now, do) if isinstance(output, Message)]
    if not messages:
        raise ConfigurationError(f"{device.id}: {do!r} sends nothing by itself; allowed: one that does")
    began = time.perf_counter()
    _send(broker, device.id, read_passwords(folder).get(device.id), messages)
    return Pressed(device.id, len(messages), round((time.perf_counter() - began) * 1000, 1))


def find(registry: Registry, where: str, now: datetime) -> Device:
    """Return the device of that id, name, or "kind:n"; ConfigurationError names some that there are."""
    devices = make_devices(registry, int(now.timestamp()), now)
    kind, _, number = where.partition(":")
    of_kind = [device for device in devices if device.kind == kind]
    if number.isdecimal() and 0 < int(number) <= len(of_kind):
        return of_kind[int(number) - 1]
    for device in devices:
        if where in {device.id, device.profile.name}:
            return device
    kinds = ", ".join(sorted({f"{device.kind}:1" for device in devices}))
    raise ConfigurationError(f"device: found {where!r}; allowed: an id, or kind:n as {kinds}")


def _send(broker: Broker, device: str, password: str | None, messages: list[Message]) -> None:
    """Publish over a connection beside the device's own, and wait for every PUBACK."""
    client = Client(CallbackAPIVersion.VERSION2, f"{device}/by-hand", protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set(device, password)
    if (context := broker.context()) is not None:
        client.tls_set_context(context)
    refused: list[str] = []

    def connected(_client: object, _data: object, _flags: object, code: object, _more: object) -> None:
        if getattr(code, "is_failure", False):
            refused.append(str(code))

    client.on_connect = connected
    try:
        client.connect(broker.host, broker.port)
    except OSError as error:
        raise ConfigurationError(f"{broker.host}:{broker.port}: {error.strerror or error}") from error
    client.loop_start()
    try:
        _wait(refused, [client.publish(m.topic, m.payload, max(1, m.qos), m.retain) for m in messages])
    finally:
        client.disconnect()
        client.loop_stop()


def _wait(refused: list[str], sent: list[MQTTMessageInfo]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not all(one.is_published() for one in sent):
        if refused:
            raise ConfigurationError(f"the connection is refused: {refused[0].lower()}")
        if time.monotonic() > deadline:
            raise ConfigurationError(f"no PUBACK within {WITHIN_S:.0f} s")
        time.sleep(0.005)
