"""A receiver of webhooks that refuses one type of event for as long as it is told to."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request, Response

from simulators.standins.server import served

SECRET = "whsec_" + b64encode(b"0123456789abcdef01234567").decode()


class Receiver:
    """Keeps the ids of what it took; what it refuses it refuses for good (422)."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.refuses = "lock.jammed"
        self.app = FastAPI(openapi_url=None)
        self.app.post("/hook")(self._take)

    async def _take(self, request: Request) -> Response:
        found: Any = await request.json()
        events = found if isinstance(found, list) else [found]
        if self.refuses and any(self.refuses in event["type"] for event in events):
            return Response("no such type of event", 422, media_type="text/plain")
        self.got += [event["id"] for event in events]
        return Response(status_code=204)


@contextmanager
def refusing() -> Iterator[tuple[Receiver, dict[str, Any]]]:
    """Run a receiver; gives it and the settings of two taps, one to it and one to nobody."""
    receiver = Receiver()
    with served(receiver.app) as url:
        hook = {"name": "records", "url": f"{url}/hook", "secret": SECRET}
        away = {"name": "nobody", "url": "http://127.0.0.1:9/hook", "secret": SECRET}
        yield receiver, {"cloudevents": [hook, away]}
