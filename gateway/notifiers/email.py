"""E-mail: one line without content to the addresses noted for the recipient."""

import asyncio
from email.message import EmailMessage

import aiosmtplib

from gateway.channel_settings import EmailSettings
from gateway.contract import ChannelFault
from gateway.model.alert import Alert
from gateway.model.delivery import Delivery
from gateway.notifiers.words import line, subject
from gateway.service.means import Means

TIMEOUT_S = 10.0
PERMANENT_FROM = 500


class EmailNotifier:
    """Hands one message to the mail server; that it took it is all that e-mail can prove."""

    channel = "email"

    def __init__(self, means: Means, settings: EmailSettings) -> None:
        self._means = means
        self._settings = settings

    async def deliver(self, delivery: Delivery, alert: Alert) -> str:
        """Send the class and where to look."""
        kept = await asyncio.to_thread(self._means.contacts.addresses, delivery.recipient, self.channel)
        if not kept:
            return "no address is noted"
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = kept[-1]
        message["Subject"] = subject(self._means.language, alert.severity)
        message["Message-ID"] = f"<{delivery.id}@{self._settings.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        url = f"{self._means.settings.public_url or ''}/alerts/{alert.id}"
        message.set_content(line(self._means.language, alert.severity, url) + "\n")
        return await self._send(message)

    async def close(self) -> None:
        """Keep nothing open: every message has its own connection."""

    async def _send(self, message: EmailMessage) -> str:
        settings = self._settings
        try:
            await aiosmtplib.send(
                message,
                hostname=settings.host,
                port=settings.port,
                username=settings.username,
                password=settings.password.get_secret_value() if settings.password else None,
                use_tls=settings.security == "tls",
                start_tls=settings.security == "starttls",
                timeout=TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as refusal:
            codes = {one.code for one in refusal.recipients}
            if all(code >= PERMANENT_FROM for code in codes):
                return f"the mail server refused the recipient: {', '.join(map(str, sorted(codes)))}"
            raise ChannelFault("the mail server refused for now") from refusal
        except aiosmtplib.SMTPResponseException as error:
            raise ChannelFault(f"the mail server answered {error.code}") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ChannelFault(f"no mail server ({type(error).__name__})") from error
        return ""


def make(means: Means) -> EmailNotifier | None:
    """Make the channel if a mail server is configured."""
    return EmailNotifier(means, means.settings.email) if means.settings.email else None
