"""Settings of the ways out to people: web push, telephone, e-mail, a signed webhook."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from gateway.sections import Port, Section, WebhookSecret, fault, is_loopback

PUSH_HOSTS = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)
"""Where the push services of Chrome and Android, Firefox, Safari and Edge take messages."""


def _service_url(url: str) -> str:
    """Refuse what would carry secrets or addresses unprotected over a network."""
    try:
        parts = urlsplit(url)
        good = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        good = False
    if not good or not (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    ):
        fault("", repr(url), "https://host/path without a user name (http on a loopback address only)")
    return url.rstrip("/")


ServiceUrl = Annotated[str, AfterValidator(_service_url)]


class PushSettings(Section):
    """Web push with the gateway's own VAPID key. `subject` says whom a push service may ask (RFC 8292)."""

    subject: str = Field(pattern=r"^(mailto:[^@\s]+@[^@\s]+|https://\S+)$")
    hosts: tuple[str, ...] = PUSH_HOSTS


class PhoneSettings(Section):
    """An account with a provider of SMS and calls. A sender that is not set leaves that channel out."""

    provider: Literal["46elks"] = "46elks"
    url: ServiceUrl = "https://api.46elks.com/a1"
    username: str = Field(min_length=1)
    password: SecretStr
    sms_from: str | None = Field(None, pattern=r"^(\+[1-9]\d{4,14}|[A-Za-z][A-Za-z0-9]{2,10})$")
    voice_from: str | None = Field(None, pattern=r"^\+[1-9]\d{4,14}$")


class EmailSettings(Section):
    """A mail server. `security` is `tls` from the first byte, `starttls`, or `none` on a loopback only."""

    host: str = Field(min_length=1)
    port: Port = 587
    security: Literal["tls", "starttls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.security == "none" and not is_loopback(self.host):
            fault("security", f"'none' to {self.host!r}", "tls or starttls, or a loopback address as host")
        if (self.username is None) is not (self.password is None):
            fault("username", "one of username and password", "both or none")
        return self


class WebhookSettings(Section):
    """A system that hears of every alert, content-free and signed (Standard Webhooks, `whsec_` secret)."""

    url: ServiceUrl
    secret: WebhookSecret


class CentreSettings(Section):
    """One alarm-receiving centre, by `sips:`, or `sip:` with `;transport=tcp`, else over UDP."""

    uri: str = Field(
        pattern=r"^sips?:([A-Za-z0-9._+-]{1,64}@)?[A-Za-z0-9.:\[\]-]+(;transport=(udp|tcp|tls))?$"
    )
    username: str | None = None
    password: SecretStr | None = None
    ca: Path | None = None


class ScaipSettings(Section):
    """Alarm centres that take SCAIP, the first first. `recipients` are the teams that stand for them.

    `cid` is the controller that the centre knows this gateway by, `units` that of single homes.
    """

    centre: tuple[CentreSettings, ...] = Field(min_length=1, max_length=4)
    recipients: tuple[str, ...] = Field(min_length=1)
    cid: str = Field(pattern=r"^[0-9]{1,16}$")
    units: dict[str, Annotated[str, Field(pattern=r"^[0-9]{1,16}$")]] = Field(default_factory=dict)
    reply_within_s: float = Field(20, ge=1, le=60)


class ChannelSettings(Section):
    """The ways out to people. `public_url` is where telephones' provider and phones reach this gateway.

    `operations` are Apprise addresses for messages about the gateway itself, never about an alert.
    """

    public_url: ServiceUrl | None = None
    webpush: PushSettings | None = None
    phone: PhoneSettings | None = None
    email: EmailSettings | None = None
    webhook: WebhookSettings | None = None
    scaip: ScaipSettings | None = None
    operations: tuple[SecretStr, ...] = ()

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.phone is not None and self.public_url is None:
            fault("public_url", "nothing", "the address at which the provider's reports reach this gateway")
        return self
