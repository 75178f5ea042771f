"""A program: an edge whose Bluetooth adapter is a controller of the virtual radio, behind HCI over TCP."""

import asyncio
import signal
import sys
from pathlib import Path

from gateway.edge.house import Edge
from gateway.edge.settings import load_edge_settings
from gateway.logs import set_up_logging
from gateway.transports.ble import Radio
from simulators.radio.backend import GATEWAY_ADDRESS, VirtualRadio
from simulators.radio.hci_port import dial
from simulators.radio.host import attach_host


async def main(port: int, bonds: Path, config: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with dial(port) as (source, sink):
        radio = VirtualRadio(attach_host(source, sink, GATEWAY_ADDRESS, "adapter"), bonds=bonds)
        await radio.open()
        edge = Edge(
            load_edge_settings(config),
            radio=Radio(scanner=radio.scanner, client=radio.client, links=radio.adapter),
        )
        await edge.run(stop)


if __name__ == "__main__":
    set_up_logging()
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
