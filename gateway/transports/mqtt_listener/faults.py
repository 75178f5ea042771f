"""Transport faults as frames, so that the trace names them; limited, because anybody can cause them."""

import logging
from datetime import datetime

from gateway.contract import Clock, Intake, Sender
from gateway.model.frame import Frame, Transport
from gateway.transports.mqtt_errors import EVIDENCE_BYTES
from gateway.transports.mqtt_listener.counters import Counters

INGRESS = "listener"
FAULTS_PER_S = 200.0
FAULT_BURST = 2000.0
_REFILLED = 0.1

log = logging.getLogger("gateway.transports.mqtt_listener")


class TokenBucket:
    """Allows a burst, and then a rate; what time it is, it is told by the clock."""

    def __init__(self, rate_per_s: float, burst: float, clock: Clock) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._clock = clock
        self._level = burst
        self._at: datetime = clock.now()

    @property
    def level(self) -> float:
        """How many may pass now."""
        now = self._clock.now()
        passed_s = max(0.0, (now - self._at).total_seconds())
        self._level = min(self._burst, self._level + passed_s * self._rate)
        self._at = now
        return self._level

    def take(self) -> bool:
        """Take one; False when there is none left."""
        if self.level < 1:
            return False
        self._level -= 1
        return True


class Faults:
    """Writes faults as frames; what is over the limit is counted, and told in one frame later."""

    def __init__(self, intake: Intake, clock: Clock, bucket: TokenBucket, counters: Counters) -> None:
        self._counters = counters
        self._untold = 0
        self._intake = intake
        self._clock = clock
        self._bucket = bucket

    def report(
        self,
        fault: str,
        evidence: bytes = b"",
        *,
        channel: str = "",
        source: str = "",
        acknowledge: tuple[Sender, int] | None = None,
    ) -> bool:
        """Offer a fault frame; False when it was only counted, so that nobody will call `durable`."""
        self._counters.faults += 1
        self.tell_untold()
        if self._bucket.take():
            log.info("fault from device %s: %s", source or "unknown", fault)
            frame = self._frame(fault, evidence, channel, source)
            sender, token = acknowledge or (None, 0)
            if self._intake.offer(frame, sender, token):
                return True
        self._counters.faults_not_written += 1
        self._untold += 1
        return False

    def tell_untold(self) -> None:
        """Tell how many faults were counted only, once there is room for more again."""
        if not self._untold or self._bucket.level < FAULT_BURST * _REFILLED:
            return
        fault = f"limit of {FAULTS_PER_S:.0f} faults/s: {self._untold} more faults were counted, not kept"
        if self._bucket.take() and self._intake.offer(self._frame(fault, b"", "", "")):
            log.warning("%s", fault)
            self._untold = 0

    def _frame(self, fault: str, evidence: bytes, channel: str, source: str) -> Frame:
        return Frame(
            Transport.MQTT,
            channel,
            evidence[:EVIDENCE_BYTES],
            self._clock.now(),
            ingress=INGRESS,
            source=source,
            fault=fault,
        )
