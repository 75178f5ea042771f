"""The listener against other people's clients: paho-mqtt and mosquitto, plain and over TLS."""

import asyncio
import ssl
import threading
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from honest_intake import HonestIntake, until
from listener_kit import COMMAND, CONFIG, OTHER, OWN, PASSWORDS, certificates, serving
from mosquitto import hang_up
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.config import ListenerTls
from gateway.stores.sessions import SqliteSessionStore

PROTOCOLS = (paho.MQTTv311, paho.MQTTv5)


class PahoDevice:
    """A paho client in its own thread, with what it heard."""

    def __init__(
        self, protocol: int, name: str = "lock-1", *, clean: bool = True, password: str = ""
    ) -> None:
        more: dict[str, Any] = {} if protocol == paho.MQTTv5 else {"clean_session": clean}
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTProtocolVersion(protocol), **more
        )
        self.client.username_pw_set(name, password or PASSWORDS[name])
        self.protocol = protocol
        self.clean = clean
        self.messages: list[paho.MQTTMessage] = []
        self.connected: list[tuple[bool, int]] = []
        self.acknowledged: list[tuple[int, int]] = []
        self.subscribed: list[list[int]] = []
        self.lost = threading.Event()
        self.client.on_message = lambda _c, _u, message: self.messages.append(message)
        self.client.on_connect = lambda _c, _u, flags, reason, _p: self.connected.append(
            (flags.session_present, reason.value)
        )
        self.client.on_publish = lambda _c, _u, mid, reason, _p: self.acknowledged.append((mid, reason.value))
        self.client.on_subscribe = lambda _c, _u, _mid, reasons, _p: self.subscribed.append(
            [reason.value for reason in reasons]
        )
        self.client.on_disconnect = lambda *_: self.lost.set()

    async def connect(self, port: int) -> None:
        more: dict[str, Any] = {}
        if self.protocol == paho.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if self.clean else 3600
            more = {"clean_start": self.clean, "properties": properties}
        await asyncio.to_thread(self.client.connect, "127.0.0.1", port, 60, **more)
        self.client.loop_start()
        await until(lambda: self.connected)

    async def close(self) -> None:
        await asyncio.to_thread(hang_up, self.client)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_paho_publishes_and_waits_for_the_disk(protocol: int) -> None:
    async def story() -> None:
        async with serving(intake=HonestIntake(by_itself=False)) as served:
            device = PahoDevice(protocol)
            await device.connect(served.listener.port)
            sent = [device.client.publish(OWN, b"%d" % number, qos=1) for number in range(20)]
            await until(lambda: len(served.intake.waiting) == 20)
            assert not any(info.is_published() for info in sent)
            served.intake.commit()
            await until(lambda: all(info.is_published() for info in sent))
            assert {code for _, code in device.acknowledged} == {0}
            assert served.intake.payloads == [b"%d" % number for number in range(20)]
            await device.close()

    asyncio.run(story())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_paho_is_refused_with_a_bad_password_and_off_its_branch(protocol: int) -> None:
    async def story() -> None:
        async with serving() as served:
            wrong = PahoDevice(protocol, password="wrong")
            await wrong.connect(served.listener.port)
            assert wrong.connected[0][1] == 134
            await wrong.close()
            device = PahoDevice(protocol)
            await device.connect(served.listener.port)
            device.client.publish(OTHER, b"evil", qos=1)
            await until(lambda: device.acknowledged)
            assert device.acknowledged[0][1] == (135 if protocol == paho.MQTTv5 else 0)
            device.client.subscribe("#", qos=1)
            await until(lambda: device.subscribed)
            assert device.subscribed[0] == [135 if protocol == paho.MQTTv5 else 128]
            await device.close()

    asyncio.run(story())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_paho_finds_its_session_and_its_command_after_a_restart(protocol: int, tmp_path: Path) -> None:
    async def first() -> None:
        store = SqliteSessionStore(tmp_path / "sessions.sqlite")
        async with serving(sessions=store) as served:
            device = PahoDevice(protocol, clean=False)
            await device.connect(served.listener.port)
            device.client.subscribe("vaka/1/t/lock-1/+", qos=1)
            await until(lambda: device.subscribed)
            await device.close()
            await served.listener.publish(COMMAND, b"open", retain=False, expiry_s=600)
            await served.listener.publish(CONFIG, b"revision 1", retain=True)
        store.close()

    async def second() -> None:
        store = SqliteSessionStore(tmp_path / "sessions.sqlite")
        async with serving(sessions=store) as served:
            device = PahoDevice(protocol, clean=False)
            await device.connect(served.listener.port)
            assert device.connected == [(True, 0)]
            await until(lambda: len(device.messages) == 2)
            assert [message.payload for message in device.messages] == [b"open", b"revision 1"]
            await device.close()
        store.close()

    asyncio.run(first())
    asyncio.run(second())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_killed_paho_leaves_its_will_and_a_polite_one_does_not(protocol: int) -> None:
    async def story() -> None:
        async with serving() as served:
            for polite in (True, False):
                device = PahoDevice(protocol)
                device.client.will_set("vaka/1/t/lock-1/status", b"lost", qos=1, retain=True)
                await device.connect(served.listener.port)
                if polite:
                    await device.close()
                    await until(lambda: served.listener.counters.connections == 0)
                    assert served.intake.durable == []
                else:
                    device.client.socket().close()  # type: ignore[union-attr]
                    await until(lambda: served.intake.durable)
                    await device.close()
            assert served.intake.payloads == [b"lost"]

    asyncio.run(story())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_paho_connects_with_a_client_certificate_and_no_password(protocol: int, tmp_path: Path) -> None:
    made = certificates(tmp_path)
    tls = ListenerTls(certificate=made["server_cert"], key=made["server_key"], client_ca=made["ca"])

    async def story() -> None:
        async with serving(tls=tls) as served:
            device = PahoDevice(protocol)
            device.client.username_pw_set(None)
            device.client.tls_set(
                str(made["ca"]),
                str(made["client_cert"]),
                str(made["client_key"]),
                tls_version=ssl.PROTOCOL_TLS_CLIENT,
            )
            await device.connect(served.listener.port)
            device.client.publish(OWN, b"x" * 50_000, qos=1)
            await until(lambda: device.acknowledged)
            assert served.intake.durable[0].source == "lock-1"
            await device.close()
            bare = PahoDevice(protocol)
            bare.client.username_pw_set(None)
            bare.client.tls_set(str(made["ca"]), tls_version=ssl.PROTOCOL_TLS_CLIENT)
            await bare.connect(served.listener.port)
            assert bare.connected[0][1] == 134
            await bare.close()

    asyncio.run(story())


async def run(program: str, port: int, *arguments: str) -> tuple[int, bytes]:
    process = await asyncio.create_subprocess_exec(
        program,
        *("-h", "127.0.0.1", "-p", str(port)),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(15):
        out, _ = await process.communicate()
    return process.returncode or 0, out


def as_device(name: str) -> tuple[str, ...]:
    return ("-u", name, "-P", PASSWORDS[name], "-i", name)


@pytest.mark.mosquitto
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", ["0", "1"])
def test_mosquitto_pub_delivers(version: str, qos: str) -> None:
    async def story() -> None:
        async with serving() as served:
            port = served.listener.port
            sent = ("-V", version, "-t", OWN, "-m", "hello", "-q", qos)
            code, out = await run("mosquitto_pub", port, *as_device("lock-1"), *sent)
            assert (code, out) == (0, b"")
            await until(lambda: served.intake.durable)
            assert served.intake.payloads == [b"hello"]
            code, out = await run("mosquitto_pub", port, "-u", "lock-1", "-P", "wrong", *sent)
            assert code != 0
            assert b"authori" in out.lower() or b"user name" in out.lower()

    asyncio.run(story())


@pytest.mark.mosquitto
def test_mosquitto_pub_of_the_old_protocol_is_refused() -> None:
    async def story() -> None:
        async with serving() as served:
            sent = ("-V", "mqttv31", "-t", OWN, "-m", "hello", "-q", "1")
            code, _ = await run("mosquitto_pub", served.listener.port, *as_device("lock-1"), *sent)
            assert code != 0
            assert "protocol name" in served.faults[0]

    asyncio.run(story())


@pytest.mark.mosquitto
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_mosquitto_sub_over_tls_gets_configuration_and_a_command(version: str, tmp_path: Path) -> None:
    made = certificates(tmp_path)
    tls = ListenerTls(
        certificate=made["server_cert"], key=made["server_key"], client_ca=made["ca"], require_client=True
    )

    async def story() -> None:
        async with serving(tls=tls) as served:
            await served.listener.publish(CONFIG, b"revision 1", retain=True)
            keys = ("--cafile", made["ca"], "--cert", made["client_cert"], "--key", made["client_key"])
            wanted = ("-V", version, "-i", "c", "-q", "1", "-C", "2", "-t", "vaka/1/t/lock-1/+", "-v")
            port = served.listener.port
            listening = asyncio.create_task(run("mosquitto_sub", port, *map(str, keys), *wanted))
            async with asyncio.timeout(10):
                while not await served.listener.publish(COMMAND, b"open", retain=False):
                    await asyncio.sleep(0.05)
            code, out = await listening
            assert code == 0
            assert sorted(out.decode().splitlines()) == [f"{COMMAND} open", f"{CONFIG} revision 1"]
            code, _ = await run("mosquitto_sub", port, "--cafile", str(made["ca"]), *wanted)
            assert code != 0

    asyncio.run(story())
