"""How many SCAIP messages a second a real gateway takes in by SIP, from the request to the reply on disk.

Run: python -m benchmarks.scaip [--messages 4000] [--units 50]
The units share the machine with the gateway; each waits for its reply before it sends again.
"""

import argparse
import asyncio
import json
import re
import tempfile
import time
from pathlib import Path

from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import free_port

RESULTS = Path(__file__).parent / "results"
REQUEST = (
    "MESSAGE sip:scaip@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{way} {host}:{port};branch=z9hG4bK{name}\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:{unit}@127.0.0.1>;tag={name}\r\nTo: <sip:scaip@127.0.0.1>\r\n"
    "Call-ID: {name}\r\nCSeq: 1 MESSAGE\r\nContact: <sip:{unit}@{host}:{port}>\r\n"
    "Content-Type: application/scaip+xml\r\nContent-Length: {length}\r\n\r\n{body}"
)
BODY = "<mrq><ref>{name}</ref><cid>{unit}</cid><dty>0003</dty><stc>0010</stc><crd>no-voice:</crd></mrq>"
_KEPT = re.compile(rb"(?im)^(?:via|from|to|call-id|cseq):.*\r\n")


class Unit(asyncio.DatagramProtocol):
    """Sends one alarm after the other; a lost datagram would end the run."""

    def __init__(self, number: int, way: str) -> None:
        self.unit, self.way = str(40_000 + number), way
        self.took_s: list[float] = []
        self._replied = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self.transport = transport
        self.own = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, _addr: object) -> None:
        """Answer a reply; responses to our requests are passed over."""
        if data.startswith(b"MESSAGE"):
            self._replied.set()
            kept = b"".join(_KEPT.findall(data.partition(b"\r\n\r\n")[0] + b"\r\n"))
            self.send(b"SIP/2.0 200 OK\r\n" + kept + b"Content-Length: 0\r\n\r\n")

    def send(self, data: bytes) -> None:
        """Send bytes by whatever way."""
        send = getattr(self.transport, "sendto" if self.way == "UDP" else "write")
        send(data)

    async def run(self, messages: int) -> None:
        """Send so many, each after the reply to the one before."""
        for number in range(messages):
            name = f"{self.unit}x{number}"
            body = BODY.format(name=name, unit=self.unit)
            host, port = self.own
            told = {"way": self.way, "host": host, "port": port, "name": name, "unit": self.unit}
            self._replied.clear()
            begun = time.perf_counter()
            self.send(REQUEST.format(body=body, length=len(body), **told).encode())
            await asyncio.wait_for(self._replied.wait(), 60)
            self.took_s.append(time.perf_counter() - begun)


class Stream(Unit):
    """The same over TCP."""

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Cut the stream into messages."""
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"Content-Length: (\d+)", head)
                self.datagram_received(head + await reader.readexactly(int(length[1]) if length else 0), None)
            except (asyncio.IncompleteReadError, OSError):
                return


async def play(port: int, way: str, units: int, messages: int) -> dict[str, float]:
    """Return the rate and the latencies of one way."""
    loop = asyncio.get_running_loop()
    made, reading, kept = [], [], []
    for number in range(units):
        unit: Unit = Stream(number, way) if way == "TCP" else Unit(number, way)
        if isinstance(unit, Stream):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            kept.append(writer)  # one that nobody holds closes its connection
            unit.connection_made(writer.transport)
            reading.append(asyncio.create_task(unit.read(reader)))
        else:
            await loop.create_datagram_endpoint(lambda one=unit: one, remote_addr=("127.0.0.1", port))  # type: ignore[misc]
        made.append(unit)
    begun = time.perf_counter()
    await asyncio.gather(*(unit.run(messages // units) for unit in made))
    over_s = time.perf_counter() - begun
    took = sorted(one for unit in made for one in unit.took_s)
    for unit in made:
        unit.transport.close()
    await asyncio.gather(*reading)
    return {
        "messages_per_s": round(len(took) / over_s),
        "reply_p50_ms": round(took[len(took) // 2] * 1e3, 1),
        "reply_p99_ms": round(took[int(len(took) * 0.99)] * 1e3, 1),
    }


def main() -> None:
    """Run both ways, print them, and keep them in benchmarks/results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--units", type=int, default=50)
    given = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        process = GatewayProcess(Path(folder), sip={"enabled": True, "udp_port": port, "tcp_port": port})
        process.start()
        try:
            for way in ("UDP", "TCP"):
                found[way] = asyncio.run(play(port, way, given.units, given.messages))
                print(f"{way}: {found[way]}")
        finally:
            process.stop()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scaip.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
