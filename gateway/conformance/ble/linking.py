"""Cases about the link: what is advertised, what is open, and what is refused before there is a bond."""

from collections.abc import Awaitable, Callable
from functools import partial

from gateway.conformance.ble import profile
from gateway.conformance.ble.bench import GattBench, NoLinkError, RefusedError
from gateway.conformance.ble.making import case
from gateway.conformance.case import Drive
from gateway.conformance.pics import CLAUSE, NO_DEVICE
from gateway.conformance.verdict import Finding, failed, inconclusive, passed

Attempt = Callable[[], Awaitable[object]]
EMPTY = b"\x80\xa0"
"""One fragment with an empty map: harmless if it is taken."""
NAMED = 4
"""A serial number of fewer characters is found in anything."""


async def first_contact(bench: GattBench) -> Finding:
    """Find the device, bond, and hold its firmware against the declaration."""
    try:
        await bench.listen()
        found = (await bench.read(profile.FIRMWARE)).decode(errors="replace")
    except (NoLinkError, RefusedError) as error:
        return inconclusive(f"{NO_DEVICE}, or did not bond: {error}")
    number = len(bench.record) - 1
    declared = bench.declaration.device.firmware
    if found != declared:
        return failed(f"its firmware is {found!r}, declared is {declared!r}", number)
    return passed("it bonds, and its firmware is as declared", number)


async def advertised(bench: GattBench) -> Finding:
    """Hold the advertisement to what it must and must not tell."""
    await bench.leave()
    await bench.connect()
    heard = bench.advertised
    if heard is None:
        return inconclusive("no advertisement was heard")
    if profile.SERVICE not in {one.lower() for one in heard.service_uuids}:
        return failed("its advertisement does not name the Vaka service")
    told = [
        heard.local_name or "",
        *(data.decode(errors="replace") for data in heard.manufacturer_data.values()),
    ]
    told += [data.decode(errors="replace") for data in heard.service_data.values()]
    secrets = {bench.declaration.device.serial, bench.declaration.connection.device, await _serial(bench)}
    for secret in secrets:
        if len(secret) >= NAMED and any(secret.lower() in one.lower() for one in told):
            return failed("its advertisement carries its serial number or its name on the interface")
    return passed("it advertises the service, and neither serial number nor name")


async def _serial(bench: GattBench) -> str:
    try:
        return (await bench.read(profile.SERIAL)).decode(errors="replace")
    except RefusedError:
        return ""


async def open_information(bench: GattBench) -> Finding:
    """Read Device Information without a bond."""
    await bench.forget()
    await bench.connect()
    for uuid, name in (
        (profile.MANUFACTURER, "manufacturer"), (profile.MODEL, "model"), (profile.FIRMWARE, "firmware"),
    ):  # fmt: skip
        try:
            await bench.read(uuid)
        except RefusedError as error:
            return failed(f"{name} cannot be read without a bond: {error}", len(bench.record) - 1)
    return passed("manufacturer, model and firmware are readable", len(bench.record) - 1)


async def all_refused(bench: GattBench) -> Finding:
    """Try every way in without a bond."""
    await bench.forget()
    taken: list[tuple[str, int]] = []
    for uuid in (profile.STATE, profile.CONFIG, profile.BATTERY_LEVEL):
        taken += await _tried(bench, f"reading {uuid}", partial(bench.read, uuid))
    writes = {
        profile.ACKNOWLEDGE: bytes(8),
        profile.COMMAND: EMPTY,
        profile.CURRENT_TIME: profile.current_time(bench.clock.now()),
    }
    for uuid, value in writes.items():
        taken += await _tried(bench, f"writing {uuid}", partial(bench.write, uuid, value))
    for uuid in profile.TOLD:
        taken += await _tried(bench, f"subscribing to {uuid}", partial(bench.subscribe, uuid))
    await bench.leave()
    if not taken:
        return passed("all of it is refused without a bond", len(bench.record) - 1)
    names, numbers = zip(*taken, strict=True)
    if bench.bonds_by_itself:
        return inconclusive(f"{names[0]} was taken; this system may have bonded unasked", *numbers)
    return failed(f"without a bond it allows {', '.join(names)}", *numbers)


async def _tried(bench: GattBench, name: str, attempt: Attempt) -> list[tuple[str, int]]:
    await bench.connect()
    try:
        await attempt()
    except (RefusedError, NoLinkError):
        return []
    return [(name, len(bench.record) - 1)]


FIRST = case(
    "TC-PICS-11",
    [CLAUSE],
    "The device is heard, bonds, and its firmware is as declared",
    "Enheten hörs, parkopplas, och dess firmware är som deklarerat",
    Drive.PROBE,
    first_contact,
    within_s=8000,
)
CASES = (
    case(
        "TC-BLE-08",
        ["VDI-BLE-08"],
        "The advertisement names the service and nobody",
        "Annonseringen nämner tjänsten och ingen person",
        Drive.PROBE,
        advertised,
    ),
    case(
        "TC-BLE-07",
        ["VDI-BLE-07"],
        "Device Information is read without a bond",
        "Device Information läses utan parkoppling",
        Drive.PROBE,
        open_information,
    ),
    case(
        "TC-BLE-06",
        ["VDI-BLE-06"],
        "Everything else is tried without a bond",
        "Allt annat prövas utan parkoppling",
        Drive.PROBE,
        all_refused,
    ),
)
