"""A lock in Node, written from the published page alone, at the gateway's own listener: no code in common."""

import asyncio
import json
import os
import re
import shutil
import signal
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jsonschema import Draft202012Validator
from listener_kit import PASSWORDS, Served, certificates, serving

from adapters.vaka import ADAPTER
from gateway.api.passwords import new_token
from gateway.config import ListenerTls
from gateway.interface.documents import published
from gateway.model.reading import Ignored
from simulators.files import read_passwords, write_municipality
from simulators.municipality import make_municipality
from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import wait_for
from tests.integration.test_firmware_gateway import turned

DEVICE = "demo/lock-001"
SCOPES = '["devices:read", "devices:write", "devices:command"]'
FOLDER = Path(__file__).parents[2] / "firmware-mocks" / "vendor-node"
PATIENCE_S = 60.0


def node() -> str:
    found = shutil.which("node")
    missing = "node" if found is None else "its packages (scripts/node-packages firmware-mocks/vendor-node)"
    if found is None or not (FOLDER / "node_modules" / "mqtt").is_dir():
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"the vendor's device needs {missing}", pytrace=False)
        pytest.skip(f"the vendor's device needs {missing}")
    return found


class Vendor:
    """The device as a process, with its test hook."""

    def __init__(self, process: asyncio.subprocess.Process, hook: int) -> None:
        self.process = process
        self.hook = hook

    async def do(self, action: str, **values: Any) -> None:
        async with httpx.AsyncClient(timeout=10) as client:
            answer = await client.post(f"http://127.0.0.1:{self.hook}/{action}", json=values)
        assert answer.status_code == 204, answer.text


@asynccontextmanager
async def vendor(folder: Path, served: Served, **more: Any) -> AsyncIterator[Vendor]:
    who = {"tenant": "t", "device": "lock-1", "user": "lock-1", "password": PASSWORDS["lock-1"]}
    async with started(folder, served.listener.port, **who, **more) as one:
        yield one


@asynccontextmanager
async def started(folder: Path, port: int, **more: Any) -> AsyncIterator[Vendor]:
    where = {"host": "127.0.0.1", "port": port, "state_dir": str(folder / "memory")}
    settings = where | {"hook_port": 0, "first_wait_ms": 50, "longest_wait_ms": 200} | more
    (folder / "vendor.json").write_text(json.dumps(settings))
    process = await asyncio.create_subprocess_exec(
        node(), str(FOLDER / "main.mjs"), str(folder / "vendor.json"), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    told = ""
    while not (found := re.search(r"hook: (\d+)", told)):
        told = (await asyncio.wait_for(process.stderr.readline(), PATIENCE_S)).decode()
        assert told, "it ended"
    reading = asyncio.create_task(process.stderr.read())
    try:
        yield Vendor(process, int(found[1]))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


def said(served: Served, branch: str) -> list[dict[str, Any]]:
    return [json.loads(f.payload) for f in served.intake.durable if f.channel == f"vaka/1/t/lock-1/{branch}"]


def words(served: Served) -> list[str]:
    return [event["type"].removeprefix("vaka.").removesuffix(".v1") for event in said(served, "event")]


async def until(true: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.02)


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


KEY = Ed25519PrivateKey.generate()
CONFIG = {
    "revision": 8,
    "heartbeat_s": 3600,
    "grant_keys": [{"kid": "k1", "x": b64(KEY.public_key().public_bytes_raw())}],
}


def grant(command: str, key: Ed25519PrivateKey = KEY, **more: Any) -> str:
    now = int(datetime.now(UTC).timestamp())
    what = {"jti": f"grant-of-{command}", "aud": "vaka:t/lock-1", "do": "unlock", "cmd": command}
    claims = what | {"nbf": now - 60, "exp": now + 600} | more
    head = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "EdDSA", "kid": "k1"}, claims))
    return f"{head}.{b64(key.sign(head.encode()))}"


async def order(served: Served, key: str, **more: Any) -> str:
    """Send a command and return its outcome."""
    before = len([one for one in said(served, "result") if one["id"] == key])
    expires = (datetime.now(UTC) + timedelta(seconds=more.pop("within_s", 600))).isoformat()
    body = json.dumps({"id": key, "do": "unlock", "expires": expires, **more}).encode()
    await served.listener.publish("vaka/1/t/lock-1/command", body, retain=False)
    await until(lambda: len([one for one in said(served, "result") if one["id"] == key]) > before)
    return str([one for one in said(served, "result") if one["id"] == key][-1]["outcome"])


async def configured(served: Served) -> None:
    await served.listener.publish("vaka/1/t/lock-1/config", json.dumps(CONFIG).encode(), retain=True)
    await until(lambda: any(one.get("config_revision") == 8 for one in said(served, "status")))


def judge(served: Served) -> None:
    """Hold everything that it said against the adapter and against the published schemas."""
    documents = published()
    for frame in served.intake.durable:
        assert not frame.fault
        read = ADAPTER.decode(frame)
        branch = frame.channel.rpartition("/")[2]
        assert branch == "result" or not any(isinstance(item, Ignored) for item in read)
        body = json.loads(frame.payload)
        name = branch
        if branch == "event":
            name = f"event/{body['type'].removeprefix('vaka.').removesuffix('.v1')}"
        schema = json.loads(documents[f"v1/schema/{name}.json"])
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(body)


@pytest.mark.parametrize("level", [4, 5])
def test_it_says_what_it_is_and_obeys_only_what_it_may(level: int, tmp_path: Path) -> None:
    async def play() -> None:
        made = certificates(tmp_path)
        tls = ListenerTls(certificate=made["server_cert"], key=made["server_key"])
        async with serving(tls=tls) as served, vendor(tmp_path, served, mqtt=level, ca=str(made["ca"])):
            await until(lambda: words(served) == ["device.online"])
            await configured(served)
            assert await order(served, "c-1") == "rejected"
            assert await order(served, "c-2", grant=grant("c-2")) == "done"
            assert await order(served, "c-2", grant=grant("c-2")) == "done"
            assert await order(served, "c-3", grant=grant("c-2")) == "rejected"
            stranger = grant("c-4", Ed25519PrivateKey.generate())
            assert await order(served, "c-4", grant=stranger) == "rejected"
            assert await order(served, "c-5", grant=grant("c-5", aud="vaka:t/lock-2")) == "rejected"
            assert await order(served, "c-6", grant=grant("c-6", exp=1)) == "rejected"
            assert await order(served, "c-7", within_s=-1, grant=grant("c-7")) == "expired"
            assert await order(served, "c-8", do="explode") == "rejected"
            assert await order(served, "c-9", do="lock") == "done"
            assert words(served) == ["device.online", "lock.unlocked", "lock.locked"]
            judge(served)

    asyncio.run(play())


def test_it_loses_nothing_over_a_loss_of_power_and_counts_on(tmp_path: Path) -> None:
    async def play() -> None:
        async with serving() as served:
            async with vendor(tmp_path, served) as one:
                await until(lambda: words(served) == ["device.online"])
                one.process.send_signal(signal.SIGKILL)
                await one.process.wait()
            await until(
                lambda: said(served, "status")[-1] == {"state": "offline", "reason": "connection lost"}
            )
            async with vendor(tmp_path, served) as one:
                await one.do("event", type="lock.unlocked")
                await one.do("reset")
                await one.do("event", type="lock.locked")
                await until(lambda: words(served)[-1:] == ["lock.locked"])
                one.process.send_signal(signal.SIGTERM)
                await until(lambda: said(served, "status")[-1]["state"] == "offline")
                assert "time" in said(served, "status")[-1]
            ids = {event["id"]: event["sequence"] for event in said(served, "event")}
            assert list(ids.values()) == sorted(ids.values())
            assert len(set(ids.values())) == len(ids)
            expected = ["online", "online", "unlocked", "online", "locked"]
            assert [word.rpartition(".")[2] for word in words_once(served)] == expected
            judge(served)

    asyncio.run(play())


def words_once(served: Served) -> list[str]:
    """What it said, each happening once however often it was sent."""
    once = {event["id"]: event["type"] for event in said(served, "event")}
    return [kind.removeprefix("vaka.").removesuffix(".v1") for kind in once.values()]


def test_what_happens_without_a_link_is_told_in_order_with_its_own_times(tmp_path: Path) -> None:
    async def play() -> None:
        async with serving() as served:
            port = served.listener.port
            async with vendor(tmp_path, served) as one:
                await until(lambda: words(served) == ["device.online"])
                await served.listener.stop()
                for kind in ("lock.unlocked", "lock.locked", "lock.unlocked"):
                    await one.do("event", type=kind)
                back = datetime.now(UTC)
                async with serving(port=port) as again:
                    await until(lambda: len(words_once(again)) == 3)
                    assert words_once(again) == ["lock.unlocked", "lock.locked", "lock.unlocked"]
                    times = [datetime.fromisoformat(event["time"]) for event in said(again, "event")]
                    assert max(times) <= back
                    judge(again)

    asyncio.run(play())


def test_with_a_clock_that_is_not_set_it_says_so_and_obeys_no_command(tmp_path: Path) -> None:
    async def play() -> None:
        async with serving() as served, vendor(tmp_path, served) as one:
            await until(lambda: words(served) == ["device.online"])
            await configured(served)
            await one.do("clock", unset=True)
            await one.do("event", type="lock.unlocked")
            await until(lambda: words(served)[-1] == "lock.unlocked")
            assert said(served, "event")[-1]["clockquality"] == "unsynced"
            assert await order(served, "c-1", grant=grant("c-1")) == "rejected"
            judge(served)

    asyncio.run(play())


def test_the_gateways_own_grant_opens_it_and_its_configuration_is_applied(tmp_path: Path) -> None:
    """End to end: a command over the API, signed by the gateway, obeyed, told back, and in the log."""
    token, hashed = new_token()

    async def play(gateway: GatewayProcess) -> None:
        settings = {
            "tenant": "demo",
            "device": "lock-001",
            "user": DEVICE,
            "password": read_passwords(tmp_path)[DEVICE],
        }
        (tmp_path / "vendor").mkdir()
        async with (
            started(tmp_path / "vendor", gateway.listener_port, **settings),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.page_port}/api/v1", timeout=30) as page,
        ):
            page.headers["Authorization"] = f"Bearer {token}"
            body = {"config": {"heartbeat_s": 1800}, "reason": "a test"}
            put = await page.put(f"/devices/{DEVICE}/config", json=body)
            assert put.is_success, put.text
            await reached(page, f"/devices/{DEVICE}/config", lambda twin: not twin["drifts"])
            given = await page.post(f"/devices/{DEVICE}/commands", json={"do": "unlock", "reason": "a test"})
            assert given.status_code == 202, given.text
            await reached(page, f"/commands/{given.json()['id']}", lambda order: order["state"] == "done")
        wait_for(lambda: turned(gateway.data) == ["lock.unlocked"])

    write_municipality(make_municipality(5, 1), tmp_path)
    node()
    gateway = GatewayProcess(tmp_path, registry=str(tmp_path / "registry.toml"))
    with (tmp_path / "vaka.toml").open("a") as file:
        file.write(f'[[api.token]]\nname = "lab"\ntoken_hash = "{hashed}"\nscopes = {SCOPES}\n')
    gateway.start()
    try:
        asyncio.run(play(gateway))
    finally:
        gateway.stop()


async def reached(page: httpx.AsyncClient, path: str, true: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true((answer := await page.get(path)).json()):
            assert answer.is_success, answer.text
            await asyncio.sleep(0.05)
