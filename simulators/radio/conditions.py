"""What the air and the adapters are like: every number of the virtual radio that one may want to turn."""

from math import log10

import msgspec

FLOOR_M = 0.1
"""Two antennas are never nearer: the logarithm needs it."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, metres and dBm; chances from 0 to 1; everything random comes from `seed`.

    `loss` is the chance that one packet on the air is lost: an advertisement is gone then, data is sent
    again a connection interval later until `supervision_timeout_s` ends the link. `drops_per_hour` are links
    that break for no reason, each link by itself. `latency_s` and `jitter_s` are what a packet takes besides.
    With `instant_connect` an initiator waits for no advertisement. `connection_slots` are the links that one
    adapter holds at a time; real adapters end between five and twenty.
    """

    loss: float = 0.0
    latency_s: float = 0.0
    jitter_s: float = 0.0
    drops_per_hour: float = 0.0
    connection_interval_s: float = 0.03
    supervision_timeout_s: float = 6.0
    connection_slots: int = 1_000
    instant_connect: bool = False
    seed: int = 1
    rssi_at_1m_dbm: float = -50.0
    path_loss_exponent: float = 2.7
    sensitivity_dbm: float = -95.0

    def rssi(self, metres: float) -> int:
        """Return the strength at that distance by the log-distance path loss model, dBm."""
        return round(self.rssi_at_1m_dbm - 10 * self.path_loss_exponent * log10(max(metres, FLOOR_M)))
