"""What health pages tell of the listener."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """`connections` is the present number, the others only grow; not-written faults were counted only."""

    connections: int = 0
    accepted: int = 0
    refused: int = 0
    frames: int = 0
    qos0_dropped: int = 0
    taken_over: int = 0
    timeouts: int = 0
    tls_failed: int = 0
    faults: int = 0
    faults_not_written: int = 0
