"""Web push: an encrypted word without content to the browsers that allow it (RFC 8030, 8291, 8292)."""

import asyncio
import json
from urllib.parse import urlsplit

from pywebpush import WebPusher, WebPushException

from gateway.contract import ChannelFault
from gateway.model.alert import Alert
from gateway.model.delivery import Delivery
from gateway.notifiers.http import HttpCaller, said
from gateway.service.means import PUSH_SHOWN, Means, PushKeyPair

TTL_S = 60
"""How long a push service may keep it: what could not be shown by then has gone on to other channels."""
EXPIRES_S = 12 * 3600
GONE = frozenset({404, 410})
URGENCY = {"high": "high", "medium": "high", "low": "normal", "info": "low"}


class WebPushNotifier:
    """Sends to every subscription of the recipient; one that the push service took is enough."""

    channel = "webpush"

    def __init__(self, means: Means, key: PushKeyPair, subject: str) -> None:
        self._means = means
        self._key = key
        self._subject = subject
        self._http = HttpCaller()

    async def deliver(self, delivery: Delivery, alert: Alert) -> str:
        """Send alert id, class and the token of the displayed-receipt; nothing else."""
        kept = await asyncio.to_thread(self._means.contacts.addresses, delivery.recipient, self.channel)
        if not kept:
            return "no subscription is noted"
        token = self._means.signer.token(PUSH_SHOWN, delivery.id)
        word = json.dumps({"alert": alert.id, "class": alert.severity.value, "receipt": token}).encode()
        tries = [self._send(one, word, alert, delivery.recipient) for one in kept]
        results = await asyncio.gather(*tries, return_exceptions=True)
        if "" in results:
            return ""
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return str(results[-1])

    async def close(self) -> None:
        """Release connections."""
        await self._http.close()

    async def _send(self, address: str, word: bytes, alert: Alert, recipient: str) -> str:
        """Send to one subscription; "" or why it is of no use. One that is gone is forgotten."""
        subscription = json.loads(address)
        try:
            body = WebPusher(subscription).encode(word)["body"]
        except (WebPushException, ValueError, KeyError):
            await self._forget(address, recipient)
            return "the subscription's keys are wrong; it was removed"
        answer = await self._http.post(
            subscription["endpoint"], content=body, headers=self._headers(subscription["endpoint"], alert)
        )
        if answer.status_code in GONE:
            await self._forget(address, recipient)
            return f"{said(answer)[:8]}: the subscription is gone; it was removed"
        if answer.status_code >= 400:
            raise ChannelFault(said(answer))
        return ""

    def _headers(self, endpoint: str, alert: Alert) -> dict[str, str]:
        parts = urlsplit(endpoint)
        expires_at = int(self._means.clock.now().timestamp()) + EXPIRES_S
        audience = f"{parts.scheme}://{parts.netloc}"
        return {
            "Authorization": self._key.authorization(audience, self._subject, expires_at),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(TTL_S),
            "Urgency": URGENCY[alert.severity.value],
            "Topic": self._means.signer.opaque("push topic", alert.id),
        }

    async def _forget(self, address: str, recipient: str) -> None:
        contacts = self._means.contacts
        await asyncio.to_thread(contacts.remove, recipient, self.channel, address)
        left = await asyncio.to_thread(contacts.addresses, recipient, self.channel)
        if not left:
            reason = "the last subscription is gone"
            self._means.reach.changed(recipient, self.channel, reachable=False, reason=reason)
