"""How many Bluetooth peripherals one process plays, and how quickly they are heard.

usage: python -m benchmarks.radio [--peripherals 10 100 1000]
"""

import argparse
import asyncio
import resource
import statistics
import time
from collections.abc import Callable

from bleak import BleakClient, BleakScanner

from simulators.radio.backend import VirtualRadio
from simulators.radio.conditions import Conditions
from simulators.radio.devices.lock import Lock
from simulators.radio.host import make_host
from simulators.radio.life import live_a_day
from simulators.radio.medium import Medium
from simulators.radio.play import address_of
from simulators.radio.standard import EVENT, STATE, text

INTERVAL_MS = 1000.0
SINGLES = 200


def peak_mib() -> float:
    """Return the most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def until(condition: Callable[[], bool], every_s: float = 0) -> None:
    """Wait in turns of the loop: an event would measure itself."""
    while not condition():  # noqa: ASYNC110 - as the docstring says
        await asyncio.sleep(every_s)


async def measure(count: int) -> None:
    """Play so many, hear them, bond with each, and let them speak."""
    medium = Medium(Conditions(instant_connect=True, connection_slots=count))
    began = time.perf_counter()
    locks = [await start(medium, number) for number in range(1, count + 1)]
    started = time.perf_counter() - began
    radio = VirtualRadio.on(medium)
    await radio.open()
    began = time.perf_counter()
    async with BleakScanner(backend=radio.scanner) as scanner:
        await until(lambda: len(scanner.discovered_devices) >= count, 0.02)
        found = {one.address: one for one in scanner.discovered_devices}
    seen = time.perf_counter() - began
    heard: list[float] = []
    began = time.perf_counter()
    clients = []
    for lock in locks:
        client = BleakClient(found[lock.address], pair=True, backend=radio.client)
        await client.connect()
        await client.start_notify(text(STATE), lambda *_: heard.append(time.perf_counter()))
        await client.start_notify(text(EVENT), lambda *_: None)
        clients.append(client)
    each = (time.perf_counter() - began) / count
    delays = []
    for lock in locks[:SINGLES]:
        before, began = len(heard), time.perf_counter()
        await lock.tell_state()
        await until(lambda before=before: len(heard) > before)
        delays.append(heard[-1] - began)
    print(
        f"{count:5} peripherals: start {started:.2f} s, all seen {seen:.2f} s, connect + bond + subscribe "
        f"{each * 1e3:.0f} ms each, notification {statistics.median(delays) * 1e6:.0f} µs (median), "
        f"peak {peak_mib():.0f} MiB"
    )
    await radio.close()
    for lock in locks:
        await lock.power_cut()


async def start(medium: Medium, number: int) -> Lock:
    """Return a lock that advertises."""
    lock = Lock(lambda: make_host(medium, address_of(number), "device"), f"demo/l{number}", f"SN-{number}")
    lock.interval_ms = INTERVAL_MS
    await lock.power_on()
    return lock


def main() -> None:
    """Measure each count, and a virtual day."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peripherals", type=int, nargs="+", default=[10, 100, 1000])
    for count in parser.parse_args().peripherals:
        asyncio.run(measure(count))
    began = time.perf_counter()
    day = live_a_day(20, 1)
    took = time.perf_counter() - began
    print(f"24 virtual hours of 20 locks: {took:.1f} s, {day.events} events, {day.connections} connections")


if __name__ == "__main__":
    main()
