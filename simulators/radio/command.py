"""The word `vaka sim radio`: devices on a virtual radio, for programs that know nothing of it."""

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.contract.errors import ConfigurationError
from simulators.loops import until_stopped

KINDS = ("lock", "pendant", "dispenser", "sensor", "tag")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the command was asked for: devices as kind and name, ports, and what the air is like."""

    devices: list[tuple[str, str]]
    ports: list[int]
    bluez: bool
    every_s: float
    loss: float
    latency_s: float
    drops_per_hour: float
    slots: int
    seed: int


def radio(  # noqa: PLR0913 - every argument is an option of the command
    *,
    device: Annotated[
        list[str] | None, typer.Option(help="KIND=TENANT/NAME; lock, pendant, dispenser, sensor or tag.")
    ] = None,
    hci_port: Annotated[
        list[int] | None,
        typer.Option(min=0, max=65535, help="Give a stack a controller: HCI (H4) over TCP, 0 chooses."),
    ] = None,
    bluez: Annotated[bool, typer.Option(help="Stand in for org.bluez on a private D-Bus.")] = False,
    every_s: Annotated[float, typer.Option(min=0, help="Mean seconds between happenings; 0 is never.")] = 60,
    loss: Annotated[float, typer.Option(min=0, max=1, help="Chance that one packet is lost.")] = 0,
    latency_s: Annotated[float, typer.Option(min=0)] = 0,
    drops_per_hour: Annotated[float, typer.Option(min=0, help="Links that break by themselves.")] = 0,
    slots: Annotated[int, typer.Option(min=1, help="Links that one adapter holds at a time.")] = 10,
    seed: int = 1,
) -> None:
    """Play Bluetooth LE devices on a radio in memory, where a gateway or a vendor's stack attaches."""
    wanted = Wanted(
        devices=[_read(one) for one in device or ()],
        ports=hci_port or [],
        bluez=bluez,
        every_s=every_s,
        loss=loss,
        latency_s=latency_s,
        drops_per_hour=drops_per_hour,
        slots=slots,
        seed=seed,
    )
    until_stopped(partial(import_module("simulators.radio.play").play, wanted))  # Bumble takes a second


def radio_home(
    *,
    folder: Annotated[
        Path, typer.Option("--dir", help="Folder of a municipality made with --bluetooth, and of its clock.")
    ],
    broker: Annotated[str, typer.Option(help="The gateway's listener, or the broker before it.")],
) -> None:
    """Play the Bluetooth home of a demo: its devices on a virtual radio, and the edge that hears them."""
    until_stopped(partial(import_module("simulators.radio.home_edge").play_home, folder, broker))


def _read(text: str) -> tuple[str, str]:
    kind, _, name = text.partition("=")
    if kind not in KINDS or "/" not in name:
        allowed = f"KIND=TENANT/NAME with one of {', '.join(KINDS)}"
        raise ConfigurationError(f"--device {text!r}; allowed: {allowed}")
    return kind, name
