"""A profile of somebody's that fails, one that is not installed, and a radio that raises what it wants."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.vaka.session import VakaSession
from gateway.__main__ import app
from gateway.ble_settings import BleSettings
from gateway.bluetooth import make_ble
from gateway.contract import ConfigurationError
from gateway.plugins import load_profiles
from gateway.service.clock import SystemClock
from simulators.radio.client import VirtualClient
from tests.unit.ble.ble_stage import Disk, House, listed, until
from tests.unit.radio.radio_stage import Stage, address, virtual

UNKNOWN = f'[ble]\nenabled = true\n[[ble.device]]\naddress = "{address(1)}"\nprofile = "gadget"\n'


def test_the_installed_profiles_are_found() -> None:
    assert [profile.id for profile in load_profiles()] == ["alerttag", "bthome", "vaka"]


def test_a_profile_that_is_not_installed_is_told_by_check_and_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "vaka.toml"
    path.write_text(UNKNOWN)
    result = CliRunner(env={"VAKA_LOG": None}).invoke(app, ["check", "--config", str(path)])

    assert result.exit_code == 2
    assert "ble.device.0.profile: found 'gadget'; allowed: alerttag, bthome, vaka" in result.stderr
    settings = BleSettings(enabled=True, device=listed(1, profile="gadget"))
    with pytest.raises(ConfigurationError, match=r"ble\.device\.0\.profile: found 'gadget'"):
        make_ble(settings, tmp_path, Disk(), SystemClock())


def test_without_the_section_there_is_no_bluetooth(tmp_path: Path) -> None:
    assert make_ble(BleSettings(), tmp_path, Disk(), SystemClock()) is None
    assert list(tmp_path.iterdir()) == []


@virtual
async def test_a_session_that_fails_costs_its_own_link_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing = VakaSession.value

    def value(self: VakaSession, characteristic: str, payload: bytes, now: Any) -> Any:
        if self._address == address(1):
            raise RuntimeError("a fault of the profile")
        return failing(self, characteristic, payload, now)

    monkeypatch.setattr(VakaSession, "value", value)
    async with Stage() as stage:
        first, second = await stage.lock(1), await stage.lock(2)
        async with House(stage, listed(1, 2)) as house:
            first.turn(locked=False)
            second.turn(locked=False)
            await until(lambda: not len(second.memory))
            await asyncio.sleep(5)
            assert len(first.memory) == 1
            assert house.disk.sequences("lock-2/") == [1]
            assert "the profile failed" in house.standing.devices[address(1)]


@virtual
async def test_a_backend_that_raises_what_it_wants_is_trouble_and_no_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        lock.turn(locked=False)
        whole = VirtualClient.connect

        async def connect(self: VirtualClient, pair: bool = False, **_more: Any) -> None:  # noqa: FBT001, FBT002 - bleak's own
            del self, pair
            raise KeyError("a fault of the backend")

        monkeypatch.setattr(VirtualClient, "connect", connect)
        async with House(stage, listed(1)) as house:
            await until(lambda: house.standing.failed > 3)
            assert "a fault of the backend" in house.standing.devices[address(1)]
            monkeypatch.setattr(VirtualClient, "connect", whole)
            await until(lambda: not len(lock.memory))
