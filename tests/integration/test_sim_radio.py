"""The word `vaka sim radio`, as an operator or a vendor starts it."""

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bleak import BleakScanner

from simulators.radio.backend import VirtualRadio
from simulators.radio.hci_port import dial
from simulators.radio.host import attach_host

VAKA = str(Path(sys.executable).with_name("vaka"))


def test_a_host_attaches_to_its_port_and_hears_the_devices_until_it_is_stopped() -> None:
    async def walk() -> None:
        child = await asyncio.create_subprocess_exec(
            *(VAKA, "sim", "radio", "--device", "pendant=demo/p1", "--device", "sensor=demo/s1"),
            *("--hci-port", "0", "--every-s", "0.2"),
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        try:
            said = (await asyncio.wait_for(child.stdout.readuntil(b"the radio is on\n"), 90)).decode()
            port = re.search(r"^HCI: tcp-client:127\.0\.0\.1:(\d+)$", said, re.MULTILINE)
            assert port
            assert "pendant demo/p1: F0:00:00:00:00:01, passkey 135790" in said
            async with dial(int(port[1])) as (source, sink):
                radio = VirtualRadio(attach_host(source, sink, "C0:00:00:00:00:05", "adapter"))
                await radio.open()
                for address in ("F0:00:00:00:00:01", "F0:00:00:00:00:02"):
                    assert await BleakScanner.find_device_by_address(address, 60, backend=radio.scanner)
                await radio.close()
            child.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(child.wait(), 60) == 0
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()

    asyncio.run(asyncio.wait_for(walk(), 240))


@pytest.mark.parametrize("device", ["toaster=demo/t", "lock=nameless"])
def test_a_device_that_is_none_is_one_line(device: str) -> None:
    ended = subprocess.run(
        [VAKA, "sim", "radio", "--device", device], capture_output=True, text=True, timeout=90, check=False
    )
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert repr(device) in line
    assert "allowed" in line
