"""What the SIP endpoint has counted, for the health page and the metrics."""

from dataclasses import dataclass


@dataclass(slots=True)
class Standing:
    """Counted since the start.

    `received` are MESSAGE requests that became frames, `repeated` retransmissions answered from the table,
    `turned_away` those that found the gateway full (503), `malformed` what is no SIP, `refused` what was
    answered with another 4xx or 5xx. `replies` are our own MESSAGE with a reply, `unanswered` those that no
    unit took, `unsent` those that had no room or no way.
    """

    connections: int = 0
    received: int = 0
    repeated: int = 0
    turned_away: int = 0
    malformed: int = 0
    refused: int = 0
    unauthorised: int = 0
    replies: int = 0
    unanswered: int = 0
    unsent: int = 0
    surplus: int = 0
    slow: int = 0
