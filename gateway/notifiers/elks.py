"""46elks as provider of SMS and calls (46elks.com/docs: send-sms, sms-delivery-reports, make-call, ivr)."""

from collections.abc import Mapping
from typing import Any

from gateway.channel_settings import PhoneSettings
from gateway.contract import PhoneReport
from gateway.model.delivery import DeliveryState
from gateway.notifiers.http import HttpCaller, said, without_addresses

RING_S = 40
"""How long a telephone rings; voice mail usually takes over after that."""
KEY_TIMEOUT_S = 10
REPEAT = 3
_REACHED = {
    "sent": DeliveryState.SENT,
    "delivered": DeliveryState.DELIVERED,
    "failed": DeliveryState.FAILED,
}


class ElksPhone:
    """The HTTP API, form-encoded with Basic authentication."""

    def __init__(self, settings: PhoneSettings) -> None:
        self._settings = settings
        self._http = HttpCaller()

    async def sms(self, number: str, text: str, report_url: str) -> str:
        """Send a text; return "" or why the provider refuses this number. ChannelFault."""
        asked = {"from": self._settings.sms_from or "", "to": number, "message": text}
        return await self._post("sms", asked | {"whendelivered": report_url})

    async def call(self, number: str, answered_url: str, ended_url: str) -> str:
        """Begin to call; return "" or why the provider refuses this number. ChannelFault."""
        asked = {"from": self._settings.voice_from or "", "to": number, "timeout": str(RING_S)}
        return await self._post("calls", asked | {"voice_start": answered_url, "whenhangup": ended_url})

    def sms_report(self, form: Mapping[str, str]) -> PhoneReport | None:
        """Read a report about a text, None for one that says nothing."""
        reached = _REACHED.get(form.get("status", ""))
        if reached is None:
            return None
        reason = "the network could not deliver it" if reached is DeliveryState.FAILED else ""
        return PhoneReport(reached, reason)

    def call_ended(self, form: Mapping[str, str]) -> PhoneReport | None:
        """Read how a call ended; None when it had been answered."""
        state = form.get("state", "")
        if state == "success":
            return None
        return PhoneReport(DeliveryState.FAILED, f"not answered: {without_addresses(state) or 'failed'}")

    def ask_key(self, sound_url: str, next_url: str) -> Mapping[str, Any]:
        """Return the answer that plays a sound and sends the key pressed to `next_url`."""
        return {
            "ivr": sound_url,
            "digits": 1,
            "timeout": KEY_TIMEOUT_S,
            "repeat": REPEAT,
            "next": next_url,
        }

    def key_pressed(self, form: Mapping[str, str]) -> str:
        """Read which key was pressed, "" for none."""
        key = form.get("result", "")
        return key if key in set("0123456789*#") else ""

    def say(self, sound_url: str) -> Mapping[str, Any]:
        """Return the answer that plays a sound and ends the call."""
        return {"play": sound_url, "skippable": False}

    async def close(self) -> None:
        """Release connections."""
        await self._http.close()

    async def _post(self, what: str, asked: dict[str, str]) -> str:
        account = (self._settings.username, self._settings.password.get_secret_value())
        answer = await self._http.post(f"{self._settings.url}/{what}", data=asked, auth=account)
        return "" if answer.status_code < 300 else f"the provider refused: {said(answer)}"
