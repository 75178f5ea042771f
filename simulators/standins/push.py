"""A stand-in for a push service and the browsers behind it (RFC 8030 with RFC 8291 and RFC 8292)."""

import base64
import json
import time
from collections.abc import Callable
from itertools import count
from os import urandom
from typing import Any

import http_ece
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from fastapi import FastAPI, Request, Response

from simulators.standins.faults import Faults

DAY_S = 24 * 3600
MAX_BODY = 4096
"""A push service must take messages up to this size (RFC 8030, section 7.2)."""


class Browser:
    """One subscription with its private key: what only the browser can read."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._auth = urandom(16)
        self.gone = False

    @property
    def subscription(self) -> dict[str, Any]:
        """What the page hands to the gateway."""
        point = self._private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return {"endpoint": self.endpoint, "keys": {"p256dh": _text(point), "auth": _text(self._auth)}}

    def read(self, body: bytes) -> bytes:
        """Decrypt a message as the browser does."""
        return bytes(http_ece.decrypt(body, private_key=self._private, auth_secret=self._auth))


class PushStandIn:
    """Takes messages for subscriptions it made; refuses what the standards tell a service to refuse."""

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self.faults = Faults()
        self.browsers: dict[str, Browser] = {}
        self.taken: list[tuple[str, dict[str, str], bytes]] = []
        self._say = say or (lambda _line: None)
        self._numbers = count(1)
        self.app = FastAPI(openapi_url=None)
        self.app.post("/push/{name}")(self._push)
        self.app.post("/standin/subscriptions")(self._subscribe)

    def subscribe(self, address: str) -> Browser:
        """Make a subscription at the address that this service is reached by."""
        name = f"b{next(self._numbers)}"
        browser = self.browsers[name] = Browser(f"{address}/push/{name}")
        return browser

    @property
    def words(self) -> list[dict[str, Any]]:
        """Every message taken, as the browser reads it."""
        return [json.loads(self.browsers[name].read(body)) for name, _, body in self.taken]

    async def _subscribe(self, request: Request) -> dict[str, Any]:
        return self.subscribe(str(request.base_url).rstrip("/")).subscription

    async def _push(self, name: str, request: Request) -> Response:
        failing = await self.faults.meet()
        if failing is not None:
            return failing
        browser = self.browsers.get(name)
        if browser is None or browser.gone:
            return Response("the subscription has expired", 410 if browser else 404)
        body, headers = await request.body(), dict(request.headers)
        origin = str(request.base_url).rstrip("/")
        if (fault := _fault(headers, body, origin)) is not None:
            return fault
        self.taken.append((name, headers, body))
        self._say(f"push to {name}: {browser.read(body).decode()}")
        return Response(status_code=201, headers={"Location": f"{origin}/message/{len(self.taken)}"})


def _fault(headers: dict[str, str], body: bytes, origin: str) -> Response | None:
    if not headers.get("ttl", "").isdigit():
        return Response("TTL is missing", 400)
    if len(body) > MAX_BODY:
        return Response("too large", 413)
    if headers.get("content-encoding") != "aes128gcm":
        return Response("aes128gcm expected", 415)
    if len(headers.get("topic", "")) > 32 or headers.get("urgency") not in {
        "very-low",
        "low",
        "normal",
        "high",
    }:
        return Response("Topic or Urgency is wrong", 400)
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    claims = _claims(rest) if scheme == "vapid" else None
    if claims is None or claims.get("aud") != origin or not _in_time(claims.get("exp")):
        return Response("VAPID refused", 403)
    return None


def _in_time(expires_at: object) -> bool:
    return isinstance(expires_at, int) and 0 < expires_at - time.time() <= DAY_S


def _claims(rest: str) -> dict[str, Any] | None:
    """Return the claims of a VAPID header whose ES256 signature is good (RFC 8292, section 3)."""
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    try:
        signed, _, signature = parts["t"].rpartition(".")
        raw = _bytes(signature)
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(parts["k"]))
        numbers = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        key.verify(numbers, signed.encode(), ec.ECDSA(hashes.SHA256()))
        return dict(json.loads(_bytes(signed.partition(".")[2])))
    except (InvalidSignature, KeyError, ValueError):
        return None


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
