"""A broker that somebody else runs as counterpart: the probe adds what our side would say."""

from gateway.conformance.declaration import ConnectionSection
from gateway.conformance.probe import Probe


class Behind:
    """Any MQTT broker behind the probe, untouched: its restart is played by the probe.

    Commands for a device that is away wait until it subscribes again, as a session would keep them.
    """

    def __init__(self, device: ConnectionSection, probe: Probe) -> None:
        self._device, self._probe = device, probe

    async def start(self, *, forgetting: bool = False) -> None:
        """The broker runs already; with `forgetting` its next CONNACK says that there is no session."""
        if forgetting:
            self._probe.forget()

    async def stop(self) -> None:
        """The broker runs on; the probe takes no connection meanwhile."""

    async def publish(self, branch: str, payload: bytes, *, retain: bool) -> None:
        """Put the message between the broker's own, under the probe's packet identifiers."""
        self._probe.tell(self._device.topic(branch), payload, retain=retain, waiting=True)
