"""Hook: CloudEvents to a webhook, one or a batch a request, each signed as Standard Webhooks 1 says."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256

import httpx

from gateway.contract import Clock, Handed, TapFault
from gateway.service.issuers import issuers
from gateway.service.signing import sign
from gateway.tap_settings import CloudEventsSettings
from gateway.taps.envelope import Message

ONE, MANY = "application/cloudevents+json", "application/cloudevents-batch+json"
MAX_BATCH, MAX_BATCH_BYTES = 100, 256 * 1024
TIMEOUT_S = 15.0
OVERLOADED, UNSUPPORTED = 429, 415
BLAMES_US = frozenset({401, 402, 403, 404, 407, 408, 425, OVERLOADED})
"""Answers that concern the address, the account or the load, and no single message."""
MAX_REASON = 160
SHOWN = ("text/plain", "application/json", "application/problem+json")
"""Answers whose text a person can read."""


class Hook:
    """Posts messages in order; a receiver that knows no batches (415) gets them one by one from then on."""

    def __init__(self, settings: CloudEventsSettings, clock: Clock) -> None:
        self._url = settings.url
        self._secret = settings.secret.get_secret_value() if settings.secret else ""
        self._clock = clock
        self._client: httpx.AsyncClient | None = None
        self._batches = True
        self._not_before: datetime | None = None

    def parts(self, waiting: Sequence[Message]) -> Iterator[Sequence[Message]]:
        """Yield messages as they go together in a request."""
        part: list[Message] = []
        size = 0
        for message in waiting:
            most = MAX_BATCH if self._batches else 1
            if part and (len(part) >= most or size + len(message.body) > MAX_BATCH_BYTES):
                yield part
                part, size = [], 0
            part.append(message)
            size += len(message.body)
        if part:
            yield part

    async def send(self, part: Sequence[Message]) -> Sequence[Handed]:
        """Send messages; what is refused of a batch is found. TapFault: nothing is known of them."""
        if len(part) == 1:
            refused = await self._refused(part)
            return [Handed(item=part[0].item, refused=refused, body=part[0].body if refused else b"")]
        if self._batches and not await self._refused(part):
            return [Handed(item=message.item) for message in part]
        middle = len(part) // 2 if self._batches else 1
        return [*await self.send(part[:middle]), *await self.send(part[middle:])]

    async def close(self) -> None:
        """Release connections."""
        if self._client is not None:
            await self._client.aclose()
        self._client = None

    async def _refused(self, part: Sequence[Message]) -> str:
        """Post once; returns "" or why the receiver refused for good."""
        self._wait()
        kind = ONE if len(part) == 1 else MANY
        body = part[0].body if len(part) == 1 else b"[" + b",".join(one.body for one in part) + b"]"
        answer = await self._post(body, kind, _name(part))
        status = answer.status_code
        if 200 <= status < 300:
            return ""
        if status == UNSUPPORTED and kind == MANY:
            self._batches = False
        if status in BLAMES_US or not 400 <= status < 500:
            self._later(answer.headers.get("retry-after", ""))
            raise TapFault(f"HTTP {status} {answer.reason_phrase}".strip())
        return f"HTTP {status} {_said(answer)}".strip()

    async def _post(self, body: bytes, kind: str, name: str) -> httpx.Response:
        stamp = str(int(self._clock.now().timestamp()))
        headers = {
            "content-type": f"{kind}; charset=utf-8",
            "webhook-id": name,
            "webhook-timestamp": stamp,
            "webhook-signature": sign(self._secret, name, stamp, body),
        }
        trusted = await issuers()
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, verify=trusted)
        try:
            return await self._client.post(self._url, content=body, headers=headers)
        except httpx.TimeoutException as error:
            raise TapFault(f"no answer within {TIMEOUT_S:.0f} s") from error
        except httpx.HTTPError as error:
            raise TapFault(f"no connection ({type(error).__name__})") from error

    def _wait(self) -> None:
        """Leave a receiver alone that has asked for it; the page comes again."""
        if self._not_before is not None and self._clock.now() < self._not_before:
            raise TapFault(
                f"the receiver asked to wait until {self._not_before.isoformat(timespec='seconds')}"
            )

    def _later(self, told: str) -> None:
        """Note what Retry-After (RFC 9110, section 10.2.3) says: seconds, or a date."""
        now = self._clock.now()
        try:
            when = now + timedelta(seconds=int(told)) if told.isdigit() else parsedate_to_datetime(told)
            self._not_before = min(when, now + timedelta(hours=1))
        except (ValueError, OverflowError, TypeError):
            self._not_before = None


def _name(part: Sequence[Message]) -> str:
    """Return the id of a request: the event's own, or for a batch the same for the same events."""
    if len(part) == 1:
        return part[0].item
    names = "\0".join(one.item for one in part)
    return f"batch-{sha256(names.encode()).hexdigest()[:32]}"


def _said(answer: httpx.Response) -> str:
    shown = answer.headers.get("content-type", "").startswith(SHOWN)
    return " ".join(answer.text.split())[:MAX_REASON] if shown else ""
