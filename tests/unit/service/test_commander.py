"""The commander: what goes out, by which way, until when; and the grants it signs."""

import asyncio
import json
from base64 import urlsafe_b64decode
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.contract import Changes, Snapshot
from gateway.model.equipment import Order, OrderState, Twin
from gateway.model.frame import Frame
from gateway.model.registry import Device, RegistryDocument
from gateway.model.status import DeviceStatus
from gateway.model.vocabulary import DeviceKind
from gateway.model.wire import Config, Grant
from gateway.plugins import load_adapters
from gateway.service.commander import Commander
from gateway.stores.keys import grant_signer

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LOCK = Device(id="t/l", tenant="t", adapter="vaka", native_id="t/l", kind=DeviceKind.LOCK)
MANIFESTS = {one.manifest.id: one.manifest for one in load_adapters()}


class Standing:
    """A clock that stands, an intake that remembers, and a house with one lock."""

    def __init__(self, heard_by: str = "") -> None:
        self.at = NOW
        self.frames: list[Frame] = []
        self.heard_by = heard_by

    def now(self) -> datetime:
        return self.at

    def wait_s(self, moment: datetime) -> float:
        return max(0.0, (moment - self.at).total_seconds())

    def offer(self, frame: Frame, _sender: object = None, _token: int = 0) -> bool:
        self.frames.append(frame)
        return True

    async def accept(self, frame: Frame) -> int:
        self.frames.append(frame)
        return len(self.frames)

    def device(self, name: str) -> Device | None:
        return LOCK if name == LOCK.id else None

    def status(self, name: str) -> DeviceStatus | None:
        return DeviceStatus(device=name, ingress=self.heard_by)


class Way:
    """A way that takes messages, or refuses as often as `refusals` says."""

    def __init__(self, refusals: int = 0) -> None:
        self.sent: list[tuple[str, dict[str, Any], bool, float | None]] = []
        self.refusals = refusals

    async def __call__(self, topic: str, payload: bytes, retain: bool, expiry_s: float | None) -> int:  # noqa: FBT001 - the port has it so
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError("away")
        self.sent.append((topic, json.loads(payload), retain, expiry_s))
        return 1


def order(**more: Any) -> dict[str, bytes]:
    said: dict[str, Any] = {
        "id": "c1",
        "device": "t/l",
        "do": "unlock",
        "actor": "anna",
        "right": "x",
        "reason": "visit",
        "requested_at": NOW,
        "expires_at": NOW + timedelta(seconds=60),
    }
    return {"command\0c1": msgspec.json.encode(Order(**{**said, **more}))}


def run(
    folder: Path, ways: dict[str, Way], standing: Standing, changes: Changes | Snapshot, within_s: float = 10
) -> None:
    async def work() -> None:
        signer = grant_signer(folder)
        commander = Commander(ways, standing, MANIFESTS, signer, standing, standing)
        if isinstance(changes, Snapshot):
            commander.load(changes)
        else:
            commander.publish(changes, 1)
        running = asyncio.create_task(commander.run())
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not standing.frames:
                    await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(work())


def restarted(records: dict[str, bytes]) -> Snapshot:
    return Snapshot(1, RegistryDocument(), {}, {}, {}, {}, {}, {}, records=records)


def decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_an_unlocking_goes_out_with_a_grant_for_it_alone_and_is_told_as_sent(tmp_path: Path) -> None:
    way, standing = Way(), Standing()
    run(tmp_path, {"listener": way}, standing, Changes(records=dict(order())))
    ((topic, said, retain, expiry_s),) = way.sent
    assert (topic, retain, expiry_s) == ("vaka/1/t/l/command", False, 60)
    header, claims, signature = said["grant"].split(".")
    key = grant_signer(tmp_path).key
    assert json.loads(decoded(header)) == {"alg": "EdDSA", "kid": key.kid}
    Ed25519PublicKey.from_public_bytes(decoded(key.x)).verify(
        decoded(signature), f"{header}.{claims}".encode()
    )
    granted = msgspec.json.decode(decoded(claims), type=Grant)
    assert (granted.aud, granted.cmd, granted.do) == ("vaka:t/l", "c1", "unlock")
    assert granted.exp - granted.nbf == 60
    assert [frame.channel for frame in standing.frames] == ["command/c1/sent"]


def test_the_way_that_the_device_was_heard_by_is_used_and_tried_again(tmp_path: Path) -> None:
    broker, listener = Way(refusals=1), Way()
    run(
        tmp_path,
        {"listener": listener, "broker:b": broker},
        Standing("broker:b"),
        Changes(records=dict(order())),
    )
    assert (len(broker.sent), len(listener.sent)) == (1, 0)


def test_what_a_stop_left_unsent_goes_out_and_what_has_expired_never(tmp_path: Path) -> None:
    way, standing = Way(), Standing()
    run(tmp_path, {"listener": way}, standing, restarted(order(state=OrderState.SENT)))
    assert len(way.sent) == 1
    late = Standing()
    late.at = NOW + timedelta(seconds=61)
    run(tmp_path, {"listener": way}, late, restarted(order()), 0.3)
    run(tmp_path, {"listener": way}, late, restarted(order(state=OrderState.DONE)), 0.3)
    assert len(way.sent) == 1


def test_a_configuration_goes_out_retained_by_every_way_with_the_key_of_grants(tmp_path: Path) -> None:
    ways, standing = {"listener": Way(), "broker:b": Way()}, Standing()
    twin = Twin(device="t/l", desired=Config(revision=3, heartbeat_s=60), set_at=NOW)
    run(tmp_path, ways, standing, Changes(records={"twin\0t/l": msgspec.json.encode(twin)}))
    for way in ways.values():
        ((topic, said, retain, _),) = way.sent
        assert (topic, retain, said["revision"]) == ("vaka/1/t/l/config", True, 3)
        assert said["grant_keys"][0]["kid"] == grant_signer(tmp_path).key.kid
    assert [(one.channel, one.payload) for one in standing.frames] == [("twin/published/t/l", b"3")]
