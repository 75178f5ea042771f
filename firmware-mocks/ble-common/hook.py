"""The test hook of the interface's page, by HTTP on loopback: a tester's hand, never in a product that is sold."""
import asyncio
import json


class Hook:
    """`actions`: the last part of the path -> function(fields) that returns a function to call, or raises ValueError."""

    def __init__(self, actions):
        self.actions = actions

    async def open(self, port):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", port)
        return self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            status, text = await asyncio.wait_for(self.one(reader), 10)
            body = text.encode()
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body))
            await writer.drain()
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def one(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        size = 0
        for line in head[1:]:
            key, _, value = line.partition(":")
            if key.lower() == "content-length" and value.strip().isdigit():
                size = min(int(value), 65536)
        body = await reader.readexactly(size)
        try:
            method, path, _ = head[0].split(" ")
            name = path.strip("/")
            if method != "POST" or name not in self.actions:
                raise ValueError("allowed: POST " + ", ".join(sorted(self.actions)))
            fields = json.loads(body or b"{}")
            act = self.actions[name](fields)
            asyncio.get_running_loop().call_later(max(0.05, float(fields.get("after_s", 0))), act)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return b"400 Bad Request", str(error) or repr(error)
        return b"204 No Content", ""
