"""The link of a reference device: the simulators' client, and what a faulty one does with it."""

from collections.abc import Callable

import mqtt5
import msgspec

from simulators.outputs import Message
from simulators.protocol.client import Client

SLEEPS_S = 120.0


class Wire(Client):
    """Tells when it is connected and when it has lost the link; `fault` names the clause that it breaks."""

    fault = ""
    online: Callable[[], None] = staticmethod(lambda: None)
    broken: Callable[[], None] = staticmethod(lambda: None)
    now: Callable[[], str] = staticmethod(lambda: "")

    def _connack(self, packet: mqtt5.ConnAckPacket) -> None:
        if not int(packet.reason_code):
            self._spoil_what_waits()
        super()._connack(packet)
        if not int(packet.reason_code):
            self.online()

    def connection_lost(self, exc: Exception | None) -> None:
        """Also tell the device of it."""
        if self.fault == "VDI-MQTT-11":
            self._flying.clear()
        ready = self._ready
        super().connection_lost(exc)
        if ready:
            self.broken()

    def publish(self, message: Message, token: int = 0, *, again: bool = False) -> None:
        """Also wake a device that sleeps without a link until it has something to say."""
        super().publish(message, token, again=again)
        if self.fault == "VDI-MQTT-12" and self._wanted and self._pipe is None:
            self._dial()

    def _later(self) -> None:
        if self.fault == "VDI-MQTT-12" and self.settled:
            self._set_timer(SLEEPS_S, self._dial)
        else:
            super()._later()

    def _spoil_what_waits(self) -> None:
        events = [one for one in self._queue if one.message.topic.endswith("/event")]
        if self.fault == "VDI-MQTT-15" and len(events) > 1:
            self._queue.reverse()
        elif self.fault == "VDI-EVT-14" and events:
            for waiting in events:
                waiting.message = _with(waiting.message, time=self.now())
        elif self.fault == "VDI-EVT-02":
            for waiting in self._flying.values():
                body = msgspec.json.decode(waiting.message.payload)
                if "type" in body:
                    waiting.message = _with(waiting.message, id=f"{body['id']}-again")


def _with(message: Message, **fields: str) -> Message:
    body = msgspec.json.decode(message.payload) | fields
    return Message(message.topic, msgspec.json.encode(body), message.qos, message.retain)
