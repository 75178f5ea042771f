"""A lock with a host stack of its own in another process; a line on standard input turns its bolt.

usage: python -m tests.integration.hci_peripheral PORT
"""

import asyncio
import sys

from simulators.radio.devices.lock import Lock
from simulators.radio.hci_port import dial
from simulators.radio.host import attach_host

ADDRESS = "F0:00:00:00:00:07"


async def main(port: int) -> None:
    async with dial(port) as (source, sink):
        lock = Lock(lambda: attach_host(source, sink, ADDRESS, "device"), "demo/dut", "SN-DUT")
        await lock.power_on()
        sys.stdout.write("advertising\n")
        sys.stdout.flush()
        lines = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        while await lines:
            lock.turn(locked=not lock.locked)
            lines = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
