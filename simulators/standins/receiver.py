"""A system that receives signed webhooks and checks them as standardwebhooks.com (version 1) says."""

import hmac
import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from fastapi import FastAPI, Request, Response

from simulators.standins.faults import Faults

TOLERANCE_S = 300


class WebhookStandIn:
    """Keeps every event with a good signature once, by its `webhook-id`."""

    def __init__(self, secret: str, say: Callable[[str], None] | None = None) -> None:
        self.faults = Faults()
        self.events: dict[str, dict[str, Any]] = {}
        self.refused = 0
        self._key = b64decode(secret.removeprefix("whsec_"))
        self._say = say or (lambda _line: None)
        self.app = FastAPI(openapi_url=None)
        self.app.post("/hook")(self._take)

    async def _take(self, request: Request) -> Response:
        failing = await self.faults.meet()
        if failing is not None:
            return failing
        body = await request.body()
        name, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        signed = f"{name}.{stamp}.".encode() + body
        good = b64encode(hmac.new(self._key, signed, sha256).digest()).decode()
        given = request.headers.get("webhook-signature", "").split(" ")
        fresh = stamp.isdigit() and abs(time.time() - int(stamp)) <= TOLERANCE_S
        if not fresh or not any(hmac.compare_digest(f"v1,{good}", one) for one in given):
            self.refused += 1
            return Response("the signature is not good", 401)
        self.events[name] = json.loads(body)
        self._say(f"webhook {name}: {body.decode()}")
        return Response(status_code=204)
