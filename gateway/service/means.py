"""Means: what a channel to people may use, made once by the plug board."""

from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.channel_settings import ChannelSettings
from gateway.contract import Clock, ContactBook, Intake, Phone
from gateway.contract.messenger import Messenger
from gateway.service.board import Board
from gateway.service.reach import Reachability
from gateway.service.signing import Signer

PUSH_SHOWN = "push shown"
SMS_REPORT = "sms report"
CALL_ANSWERED = "call answered"
CALL_KEY = "call key"
CALL_ENDED = "call ended"
"""Purposes of the signed addresses that come back to us."""


class PushKeyPair(Protocol):
    """The key by which push services know this gateway (VAPID, RFC 8292)."""

    @property
    def public(self) -> str:
        """The public key in base64url."""
        ...

    def authorization(self, audience: str, subject: str, expires_at: int) -> str:
        """Return the header for a push service; `expires_at` in epoch seconds."""
        ...


@dataclass(frozen=True)
class Means:
    """What channels and their callbacks share. Those with a default are None where not configured."""

    settings: ChannelSettings
    language: Literal["sv", "en"]
    board: Board
    clock: Clock
    intake: Intake
    contacts: ContactBook
    reach: Reachability
    signer: Signer
    push_key: PushKeyPair | None = None
    phone: Phone | None = None
    messenger: Messenger | None = None

    def hook(self, path: str, purpose: str, delivery: str) -> str:
        """Return the public address of one of our callbacks about a delivery."""
        return f"{self.settings.public_url or ''}/hooks/{path}/{self.signer.token(purpose, delivery)}"
