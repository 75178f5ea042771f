"""Watchdog: tells systemd that the edge is ready and well (sd_notify(3)); without systemd it says nothing."""

import os
import socket
from collections.abc import Mapping


class Watchdog:
    """Sends datagrams to the socket that systemd names; `every_s` is how often it wants to hear."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._where = environment.get("NOTIFY_SOCKET", "")
        period_us = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.every_s = int(period_us) / 3e6 if period_us.isdecimal() and mine else 0.0

    def ready(self) -> None:
        """Say that the edge serves."""
        self._say(b"READY=1")

    def well(self, words: str) -> None:
        """Say that the edge is well, in words for `systemctl status`."""
        self._say(b"WATCHDOG=1\nSTATUS=" + words.replace("\n", " ").encode())

    def stopping(self) -> None:
        """Say that the edge stops."""
        self._say(b"STOPPING=1")

    def _say(self, words: bytes) -> None:
        if not self._where:
            return
        path = "\0" + self._where[1:] if self._where.startswith("@") else self._where
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            try:
                to.sendto(words, path)
            except OSError:
                return  # systemd hears nothing then, and acts
